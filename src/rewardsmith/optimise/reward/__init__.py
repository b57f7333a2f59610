"""A reward model as the reward of policy training, in this process and in other tools."""
