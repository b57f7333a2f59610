"""What becomes of the reward in use: selected harder, on fresh answers, searched for weaknesses."""
