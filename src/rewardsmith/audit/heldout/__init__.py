"""What held-out pairs say: does the model order answers as people do, everywhere, and by more than their length?"""
