"""What a reward is worth to a policy: best-of-n, DPO, GRPO, RLOO and PPO under KL control, and where to stop."""
