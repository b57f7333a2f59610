"""The transformers `Trainer`, taught that a loss belongs to pairs, and that sums come before divisions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import TrainOutput

from rewardsmith.core.freed_memory import keep_freed_memory
from rewardsmith.losses.objective import Objective, prompt_weights
from rewardsmith.losses.pair_batch import PairLosses
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.training import checkpoint
from rewardsmith.training.collator import Collator, network_inputs, pair_batch
from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.health import require_finite_gradient, require_finite_loss
from rewardsmith.training.length_pass import step_length_slope
from rewardsmith.training.loader import EpochLoader
from rewardsmith.training.meter import Meter
from rewardsmith.training.metrics import Outcomes, Totals, figures, merged, speeds, totals_of
from rewardsmith.training.sampling import HardSampling
from rewardsmith.training.schedule import Cut, DeviceSteps

METER_NAME = "meter.json"
SAMPLING_NAME = "sampling.npz"

_EVALUATED_AT_ONCE = 64


class RewardTrainer(Trainer):
    """Trains a `RewardModel` on preferences.

    The objective of an optimiser step is Σ weight·(loss + regulariser) / Σ weight + λ‖w‖² + λ'·ρ², the sums and the
    length correlation ρ over all pairs of the step on all devices, so that it does not depend on how the step is cut
    into micro-batches. (TRL 1.16 takes the mean of each micro-batch and then the mean of those.)

    Evaluation goes over every held-out pair once, whatever the number of devices. Checkpoints appear whole or not at
    all. Everything else (callbacks, mixed precision, accelerate, resuming) is the `Trainer`'s.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: RewardModel,
        args: TrainingArguments,
        *,
        objective: Objective,
        train: PreferenceDataset,
        heldout: PreferenceDataset,
        collator: Collator,
        sampling: HardSampling | None = None,
        keep_checkpoints: int = 2,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.objective = objective
        self.meter = Meter()
        self.sampling = sampling
        self.keep_checkpoints = keep_checkpoints
        self._length_slope: Tensor | None = None
        self._staging: Path | None = None
        super().__init__(
            model=model,
            args=args,
            data_collator=collator,  # pyright: ignore[reportArgumentType] -- a list of micro-batches
            train_dataset=train,  # pyright: ignore[reportArgumentType] -- it has the two methods that are used
            eval_dataset=heldout,  # pyright: ignore[reportArgumentType]
            callbacks=[self.meter, *callbacks],
        )
        # Releases without `loss_is_scaled_for_ga` ask this instead.
        self.model_accepts_loss_kwargs = True
        for printer in [callback for callback in self.callback_handler.callbacks if _prints(callback)]:
            self.remove_callback(printer)

    # ---- data ----

    def get_train_dataloader(self) -> EpochLoader:
        """This device's share of each step, cut into micro-batches."""
        train: Any = self.train_dataset
        cut = Cut(self.args.per_device_train_batch_size, self.args.world_size)
        order_seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        device = self.args.process_index
        sampler = DeviceSteps(train.longest.tolist(), cut, device=device, seed=order_seed, orders=self.sampling)
        return EpochLoader(train, sampler, collate=self.data_collator, pin_memory=self.args.dataloader_pin_memory)

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list, Tensor | int | None]:
        """This device's micro-batches of a step, and Σ weight over those of all devices."""
        self.meter.start()
        steps, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        weights = [self._weight(each) for step in steps for each in step]
        return steps, torch.tensor(sum(gather_object([sum(weights)])), dtype=torch.float32, device=device)

    # ---- step ----

    def training_step(
        self,
        model: nn.Module,
        inputs: Any,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The gradient of this device's share of a step; devices exchange theirs with the last micro-batch.

        Weights are cast to bf16 once for all micro-batches: autocast keeps its casts until the outermost context ends.
        """
        if not model.training:
            model.train()
        if self.objective.settings.length_decorrelation:
            forward = partial(self._forward, self.accelerator.unwrap_model(model))
            batches: Any = map(self._prepare_inputs, inputs)
            # This autocast ends before the next one begins, which would find casts without a gradient.
            with self.accelerator.autocast():
                self._length_slope = step_length_slope(self.objective, batches, forward=forward)
        total = torch.zeros((), device=self.args.device)
        with self.accelerator.autocast():
            for number, batch in enumerate(inputs, start=1):
                is_last = number == len(inputs)
                with nullcontext() if is_last else self.accelerator.no_sync(model):
                    prepared: Any = self._prepare_inputs(batch)
                    loss = self.compute_loss(model, prepared, num_items_in_batch=num_items_in_batch)
                    # The gradient of a float32 operation is one too, which autocast does not know.
                    with torch.autocast(loss.device.type, enabled=False):
                        self.accelerator.backward(loss)
                total += loss.detach()
        return total

    # ---- loss ----

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Mapping[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """This micro-batch's share of the step's objective.

        Shares add up over micro-batches. Devices average their gradients, hence the factor of their number.

        Args:
            num_items_in_batch: Σ weight of the step; the micro-batch's own where absent.

        Raises:
            ModelError: The loss is NaN or infinite.
        """
        rewards, losses = self._forward(model, inputs)
        own = losses.weight.sum()
        total = own if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        share = (losses.weight * (losses.loss + losses.regulariser)).sum()
        if self.objective.settings.readout_l2:
            share = share + own * self.objective.readout_penalty(self._readout(model))
        # A step whose weights are all 0 has a gradient of 0, not of NaN.
        loss = share * self.args.world_size / torch.where(total > 0, total, torch.ones_like(total))
        if self._length_slope is not None and model.training:
            moments = self.objective.length_moments(losses, pair_batch(inputs))
            loss = loss + (self._length_slope @ moments).float() * self.args.world_size
        require_finite_loss(loss, step=self.state.global_step + 1)
        if model.training:
            self._count(inputs, rewards, losses)
        return (loss, rewards) if return_outputs else loss

    def _count(self, inputs: Mapping[str, Any], rewards: Tensor, losses: PairLosses) -> None:
        """Keep what was seen of a micro-batch, for the log and for the next epoch's draws."""
        outcomes = self._outcomes(inputs, rewards, losses)
        self.meter.add(totals_of(outcomes))
        if self.sampling is not None:
            numbers, owners = (inputs[name].cpu().numpy() for name in ("numbers", "preference"))
            self.sampling.see(numbers, owners, outcomes.deltas, step=self.state.global_step)

    def _forward(
        self, model: nn.Module, inputs: Mapping[str, Any], *, progress: float | None = None
    ) -> tuple[Tensor, PairLosses]:
        """Rewards and losses; the margin is that of now, or of when `progress` is done."""
        rewards = model(**network_inputs(inputs))
        now = self.state.global_step / max(1, self.state.max_steps)
        return rewards, self.objective(rewards, pair_batch(inputs), progress=now if progress is None else progress)

    def _weight(self, batch: Mapping[str, Any]) -> float:
        """Σ weight of a micro-batch."""
        return float(prompt_weights(pair_batch(batch)).double().sum())

    def _outcomes(self, inputs: Mapping[str, Any], rewards: Tensor, losses: PairLosses) -> Outcomes:
        """The outcomes of a batch as arrays; a filler, which is in no pair, counts for nothing."""
        pairs = len(losses.loss)
        return Outcomes(
            losses=_array(losses.loss),
            weights=_array(losses.weight),
            deltas=_array(losses.delta),
            prob_chosen=_array(inputs["prob_chosen"]),
            rewards=_array(rewards if pairs else rewards[:0]),
            tokens=inputs["tokens"] if pairs else 0,
            computed_tokens=inputs["computed_tokens"] if pairs else 0,
        )

    def _named(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The figures under the names that logs and manifests give them."""
        return dict(figures)

    def _readout(self, model: nn.Module) -> Tensor:
        return self.accelerator.unwrap_model(model).output_layer.weight

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """The gradient's norm, before it moves any weight.

        Raises:
            ModelError: It is NaN or infinite.
        """
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        require_finite_gradient(norm, step=self.state.global_step + 1)
        return norm

    # ---- figures ----

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Replace the `Trainer`'s mean of step losses by figures over all pairs since the last line.

        Its summary at the end is left out: after an interruption it would tell of the last part only.
        """
        if "train_runtime" in logs:
            return
        if "loss" in logs:
            self.meter.gather(main=True)
            logs = logs | self._named(self.meter.line())
            self.meter.reset()
        super().log(logs, start_time)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,  # noqa: ARG002
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Figures over every pair of the held-out set (`eval_loss`, `eval_accuracy`, …), logged and returned.

        Batches are shared among the devices without repetition; sums and counts are added up and divided once.
        """
        dataset: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        started = time.perf_counter()
        totals = merged(gather_object([self._heldout_totals(dataset)]))
        seconds = time.perf_counter() - started
        values = self._named(figures(totals) | speeds(totals, seconds)) | {"seconds": seconds}
        logged = {f"{metric_key_prefix}_{key}": value for key, value in values.items()}
        self.log(dict(logged))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, logged)
        return logged

    def _heldout_totals(self, dataset: PreferenceDataset) -> Totals:
        """The totals of this device's share of `dataset`, of the final margin, so that those of all steps compare."""
        model = self._wrap_model(self._model(), training=False)
        was_training = model.training
        model.eval()
        totals = Totals()
        order = dataset.longest.argsort(kind="stable")[::-1].tolist()
        own = order[self.args.process_index :: self.args.world_size]
        collate: Any = self.data_collator
        with torch.no_grad(), self.accelerator.autocast():
            for start in range(0, len(own), _EVALUATED_AT_ONCE):
                some = [dataset[index] for index in own[start : start + _EVALUATED_AT_ONCE]]
                for batch in collate(some):
                    inputs: Any = self._prepare_inputs(batch)
                    totals += totals_of(self._outcomes(inputs, *self._forward(model, inputs, progress=1.0)))
        model.train(was_training)
        return totals

    # ---- checkpoints ----

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train, from the start or from a checkpoint folder.

        A checkpoint of the last step has nothing left to train: its weights and its log are loaded.
        """
        if self.args.device.type == "cpu":
            keep_freed_memory()
        if not isinstance(resume_from_checkpoint, str):
            return super().train(resume_from_checkpoint, *args, **kwargs)
        folder = Path(resume_from_checkpoint)
        state = TrainerState.load_from_json(str(folder / TRAINER_STATE_NAME))
        if state.global_step >= state.max_steps:
            self._load_from_checkpoint(resume_from_checkpoint)
            self.state = state
            return TrainOutput(state.global_step, float("nan"), {})
        if self.is_world_process_zero():
            # The sums of all devices; the others go on from nothing.
            self.meter.restore(checkpoint.load_values(folder / METER_NAME))
        if self.sampling is not None:
            self.sampling.restore(checkpoint.load_arrays(folder / SAMPLING_NAME))
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def load_best(self) -> None:
        """Load the weights of the evaluation with the lowest held-out loss, where that is not the last one."""
        step = self.state.best_global_step
        if step is not None and step != self.state.global_step:
            self._load_from_checkpoint(str(self._work() / f"{checkpoint.PREFIX}{step}"))

    def _work(self) -> Path:
        return Path(str(self.args.output_dir))

    def _model(self) -> nn.Module:
        model: Any = self.model
        return model

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._staging) if self._staging is not None else super()._get_output_dir(trial)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write the checkpoint aside, seal it, rename it into place, then remove old ones."""
        work, name = self._work(), f"{checkpoint.PREFIX}{self.state.global_step}"
        self.meter.gather(main=self.is_world_process_zero())
        if self.sampling is not None:
            self.sampling.gather()
        if self.is_world_process_zero():
            checkpoint.clear_staging(work)
        self.accelerator.wait_for_everyone()
        self._staging = checkpoint.staging_folder(work)
        try:
            super()._save_checkpoint(model, trial)
            staged = self._staging / name
        finally:
            self._staging = None
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            self.state.best_model_checkpoint = None
            self.state.save_to_json(str(staged / TRAINER_STATE_NAME))
            checkpoint.save_values(staged / METER_NAME, self.meter.saved())
            if self.sampling is not None:
                checkpoint.save_arrays(staged / SAMPLING_NAME, self.sampling.saved())
            checkpoint.seal(staged)
            checkpoint.publish(staged, work / name)
            checkpoint.rotate(work, keep=self.keep_checkpoints, best_step=self.state.best_global_step)
        self.accelerator.wait_for_everyone()


def _array(values: Tensor) -> Any:
    return values.detach().float().cpu().numpy()


def _prints(callback: TrainerCallback) -> bool:
    """Whether the callback is one of those that the `Trainer` adds to print to standard output."""
    return type(callback).__name__ in ("PrinterCallback", "ProgressCallback")
