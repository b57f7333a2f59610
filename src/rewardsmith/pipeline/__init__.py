"""The stages in order, as `rewardsmith run` calls them."""
