"""Reaches: what surrounds a seed within an angle of its direction, for single seeds and for many at once."""

from __future__ import annotations

from math import acos, cos
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_ANGLE_ROUNDING = 1e-3  # radians; of float32, where the cosine is flat
_FIRST_RADIUS = 24  # px, of the first window around a seed
_PAIRS_PER_PIXEL = 8  # of a reach, at most: pairs of a pixel outside of a core and a seed of its group
_VERGE = 32  # px, at most, that seeds of a group reach beyond their core; the way there is found in so many rounds
_LOOKED_AT = 64  # times all pixels are looked at before the reaches of what is left are cut
_LEAST_LOOKED_AT = 2**24  # px; a small image can afford to be looked at more often
_UNSEEN, _CLOSED = -1, -2  # in place of a row: a pixel not yet met, one of the core or beyond the image


class Group(NamedTuple):
    """Seeds that all reach a core, and what only some of them reach.

    Attributes
    ----------
    seeds : (n,) int array
    window : two slices
        Where the core lies.
    core : (h, w) bool array
        In the window.
    inside : int array
        Seeds in the core, which all seeds of the group reach.
    outside : (S, 2) int array
        Pixels beyond the core that some of the seeds reach.
    similarity : (S,) float32 array
        Of each of these to the most similar of the seeds that reach it.
    nearest : (S,) int array
        That seed.
    partial : (2, C) int array
        Pairs of a seed of the group and a seed beyond the core that it reaches.
    """

    seeds: np.ndarray
    window: tuple[slice, slice]
    core: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    similarity: np.ndarray
    nearest: np.ndarray
    partial: np.ndarray


class Reaches:
    """The reaches of seeds in an embedding, a group after the other; see `study.clustering.angular.cluster_seeds`."""

    def __init__(self, embedding: np.ndarray, pixels: np.ndarray, directions: np.ndarray, limit: float):
        self.embedding, self.pixels, self.directions, self.limit = embedding, pixels, directions, limit
        self.seed_at = np.full(embedding.shape[:2], -1, np.int32)
        self.seed_at[tuple(pixels.T)] = np.arange(len(pixels))
        self.free = np.ones(len(pixels), bool)  # seeds that are in no group yet
        self.differ = np.zeros(len(pixels), bool)  # seeds that are to be grown alone, after a vain try
        self.covered = np.zeros(embedding.shape[:2], bool)  # what a seed has reached
        self.rows = np.full(np.add(embedding.shape[:2], 2), _CLOSED)
        self.rows[1:-1, 1:-1] = _UNSEEN
        self.left = max(_LOOKED_AT * self.covered.size, _LEAST_LOOKED_AT)

    def groups(self) -> list[Group]:
        """Groups of seeds, each seed in at most one."""
        found = []
        for k in range(len(self.pixels)):
            if not self.free[k] or (self.left < 0 and self.covered[tuple(self.pixels[k])]):
                continue
            reach = self._grow(self.pixels[k], self.directions[k], self.limit)
            found.append(self._taken(_alone(k, reach, self._seeds_in(reach))))
            others = found[-1].inside
            others = others[self.free[others] & ~self.differ[others]]
            if others.size and self.left >= 0:
                together = self._together(reach, others)
                if together is None:
                    self.differ[others] = True
                else:
                    found.append(self._taken(together))
        return found

    def _taken(self, group: Group) -> Group:
        self.free[group.seeds] = False
        self.covered[group.window] |= group.core
        return group

    def _seeds_in(self, reach: _Reach) -> np.ndarray:
        inside = self.seed_at[reach.window][reach.mask]
        return np.sort(inside[inside >= 0])

    def _grow(
        self, pixel: np.ndarray, direction: np.ndarray, limit: float, window: tuple[slice, slice] | None = None
    ) -> _Reach:
        """The connected component of cosines of at least `limit` that contains `pixel`, from a first window on."""
        shape = np.array(self.embedding.shape[:2])
        low, high = np.maximum(pixel - _FIRST_RADIUS, 0), np.minimum(pixel + _FIRST_RADIUS + 1, shape)
        if window is not None:
            low, high = np.array([side.start for side in window]), np.array([side.stop for side in window])
        while True:
            window = (slice(low[0], high[0]), slice(low[1], high[1]))
            similarity = self.embedding[window] @ direction
            components = np.asarray(ndimage.label(similarity >= limit)[0])  # type: ignore[index]
            mask = components == (components[tuple(pixel - low)] or -1)
            beyond_low = (low > 0) & [mask[0].any(), mask[:, 0].any()]
            beyond_high = (high < shape) & [mask[-1].any(), mask[:, -1].any()]
            self.left -= mask.size
            if self.left < 0 or not (beyond_low | beyond_high).any():
                return _Reach(window, mask, similarity)
            size = high - low
            low, high = np.maximum(low - size * beyond_low, 0), np.minimum(high + size * beyond_high, shape)

    def _together(self, reach: _Reach, others: np.ndarray) -> Group | None:
        """A group of those of the seeds `others` in a reach that share most of it; None where no core is shared.

        Turning a direction by t changes each pixel's angle to it by at most t: the pixels within the angle less t of
        the mean direction are in reach of all seeds that differ from it by at most t, as far as they are connected.
        """
        centre = self.directions[others].sum(0)
        centre /= max(np.linalg.norm(centre), np.finfo(np.float32).tiny)
        turned = np.arccos(np.clip(self.directions[others] @ centre, -1, 1)) + _ANGLE_ROUNDING
        order = np.argsort(turned)
        others, turned = others[order], turned[order]
        similarity = np.sort(self.embedding[reach.window][reach.mask] @ centre)
        core_angle = acos(max(self.limit, -1)) - turned
        not_shared = np.searchsorted(similarity, np.cos(np.maximum(core_angle, 0)))
        pairs = np.arange(1, len(others) + 1) * not_shared
        count = int(((core_angle > 0) & (pairs <= _PAIRS_PER_PIXEL * len(similarity))).sum())
        if not count:
            return None
        core = self._grow(self.pixels[others[0]], centre, cos(core_angle[count - 1]), reach.window)
        if self.left < 0 or not core.mask.any():
            return None
        return self._group_around(core, np.sort(others[:count]), 4 * _PAIRS_PER_PIXEL * len(similarity))

    def _group_around(self, core: _Reach, seeds: np.ndarray, most: int) -> Group | None:
        """The group of the seeds that reach the core and that one in the core reaches."""
        beyond = self._beyond(core, seeds, most // len(seeds))
        if beyond is None:
            return None
        inside = self._seeds_in(core)
        central = np.isin(seeds, inside)
        at = self.seed_at[tuple(beyond.pixels.T)]
        row_of = {seed: row for row, seed in enumerate(at.tolist()) if seed >= 0}
        member = central.copy()
        for column in np.flatnonzero(~central):
            if seeds[column] in row_of:
                by = beyond.reached[row_of[seeds[column]]]
                member[column] = by[column] and by[central].any()
        if not central.any():
            return None
        seeds, used = seeds[member], beyond.reached[:, member].any(1)
        at, reached = at[used], beyond.reached[used][:, member]
        similarity = np.where(reached, beyond.similarity[used][:, member], -np.inf)
        with_seed = np.flatnonzero(at >= 0)
        rows, columns = np.nonzero(reached[with_seed])
        return Group(
            seeds,
            core.window,
            core.mask,
            inside,
            beyond.pixels[used],
            similarity.max(1, initial=-np.inf),
            seeds[similarity.argmax(1)],
            np.stack([seeds[columns], at[with_seed[rows]]]),
        )

    def _beyond(self, core: _Reach, seeds: np.ndarray, most: int) -> _Beyond | None:
        """What each of some seeds reaches beyond a core; None where the verge is wide or takes over `most` visits."""
        width = self.embedding.shape[1] + 2
        steps = (-width, -1, 1, width)
        around = tuple(slice(side.start, side.stop + 2) for side in core.window)  # in `rows`, which has a frame
        framed = np.pad(core.mask, 1)
        self.rows[around][framed] = _CLOSED
        beyond = _Beyond(
            np.empty((most, 2), np.int64), np.empty((most, len(seeds)), np.float32), np.zeros((most, len(seeds)), bool)
        )
        within = np.zeros_like(beyond.reached)
        flat, places, count, visits = self.rows.ravel(), np.empty(most, np.int64), 0, 0
        fresh = _ring(framed) & (self.rows[around] == _UNSEEN)
        fresh = (np.argwhere(fresh) + [side.start for side in around]) @ [width, 1]
        active = np.empty(0, np.int64)
        for _ in range(_VERGE):
            end = count + len(fresh)
            visits += len(fresh) + len(active)
            if visits > most or not (fresh.size or active.size):
                break
            new = slice(count, end)
            flat[fresh], places[new] = np.arange(count, end), fresh
            beyond.pixels[new] = np.stack(np.divmod(fresh, width), axis=1) - 1
            np.matmul(self.embedding[tuple(beyond.pixels[new].T)], self.directions[seeds].T, out=beyond.similarity[new])
            np.greater_equal(beyond.similarity[new], self.limit, out=within[new])
            if count == 0:
                beyond.reached[new] = within[new]
                active = np.flatnonzero(within[new].any(1))
            else:
                active = _spread(active, [flat[places[active] + step] for step in steps], beyond.reached, within)
            count = end
            near = np.concatenate([places[active] + step for step in steps])
            fresh = np.unique(near[flat[near] == _UNSEEN])
        flat[places[:count]] = _UNSEEN
        self.rows[around][framed] = _UNSEEN
        self.left -= visits * len(seeds)
        return None if visits > most or active.size else _Beyond(*(values[:count] for values in beyond))


class _Reach(NamedTuple):
    window: tuple[slice, slice]
    mask: np.ndarray  # (h, w) bool; empty where the seed's own pixel is not within the angle
    similarity: np.ndarray  # (h, w) float32, cosine to the direction


class _Beyond(NamedTuple):
    """Pixels (S, 2) beyond a core, their similarities to n seeds (S, n), and which of these reach them (S, n)."""

    pixels: np.ndarray
    similarity: np.ndarray
    reached: np.ndarray


def _alone(k: int, reach: _Reach, inside: np.ndarray) -> Group:
    none = np.empty(0, np.int64)
    return Group(
        np.array([k]), reach.window, reach.mask, inside, np.empty((0, 2), np.int64), none, none, none.reshape(2, 0)
    )


def _ring(mask: np.ndarray) -> np.ndarray:
    """What lies next to a mask, over edges."""
    ring = np.zeros_like(mask)
    ring[1:] |= mask[:-1]
    ring[:-1] |= mask[1:]
    ring[:, 1:] |= mask[:, :-1]
    ring[:, :-1] |= mask[:, 1:]
    return ring & ~mask


def _spread(active: np.ndarray, neighbours: list[np.ndarray], reached: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Let each seed reach the neighbours of what it has reached; rows where one gained."""
    gained = []
    for near in neighbours:  # no two active pixels have the same neighbour on the same side
        inside = near >= 0
        source, target = active[inside], near[inside]
        gain = reached[source] & within[target] & ~reached[target]
        some = gain.any(1)
        reached[target[some]] |= gain[some]
        gained.append(target[some])
    return np.unique(np.concatenate(gained))
