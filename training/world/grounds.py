"""Grounds: patterns in two colors, and simple places. All take coordinates in 0 to 1 and return [n, 3, S, S]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .constants import constant
from .scenes import GROUNDS


def draw_grounds(rows_of: Sequence[Tensor], picture: Tensor, smooth: Tensor, size: int) -> Tensor:
    """float32 [n, 3, size, size].

    rows_of: for each of GROUNDS the numbers of its pictures; picture: float32 [n, 12] of the layouts; smooth: soft
        noise [n, 1, size, size].
    """
    lines = (torch.arange(size, device=picture.device) + 0.5) / size
    x, y = lines.view(1, 1, 1, size), lines.view(1, 1, size, 1)
    made = picture[:, :3, None, None].expand(-1, -1, size, size).clone()
    for name, rows in zip(GROUNDS, rows_of, strict=True):
        if len(rows) and name != "plain":
            p = picture[rows]
            colors = p[:, :3, None, None], p[:, 3:6, None, None]
            knobs = [p[:, i, None, None, None] for i in range(6, 12)]
            made[rows] = _DRAWN[name](x, y, *colors, knobs, smooth[rows]).expand(-1, -1, size, size)
    return made


def _mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return first + (second - first) * share


def _color(x: Tensor, *rgb: float) -> Tensor:
    return constant(x.device, *rgb)


def _gradient(x, y, first, second, k, smooth):
    along = torch.where(k[0] < 0.4, y, torch.where(k[0] < 0.7, x, ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt() * 1.4))
    return _mix(first, second * 0.85, torch.where(k[1] < 0.5, along, 1 - along).clamp(0, 1))


def _striped(x, y, first, second, k, smooth):
    turned = torch.where(k[0] < 0.4, x + 0 * y, torch.where(k[0] < 0.75, y + 0 * x, (x + y) * 0.71))
    return _mix(first, second, _edge(_wave(turned * (3.5 + 4 * k[1]) + k[2])))


def _checked(x, y, first, second, k, smooth):
    pitch = 2.2 + 2.5 * k[1]
    return _mix(first, second, _edge(_wave(x * pitch + k[2]) * _wave(y * pitch + k[3])))


def _dotted(x, y, first, second, k, smooth):
    pitch = 4 + 3.5 * k[1]
    u, v = (x * pitch + k[2]) % 1 - 0.5, (y * pitch + k[3]) % 1 - 0.5
    return _mix(first, second, ((0.3 - (u * u + v * v).sqrt()) * 14 + 0.5).clamp(0, 1))


def _wave(phase: Tensor) -> Tensor:
    """A triangle wave between -1 and 1 with period 1."""
    return ((phase % 1) - 0.5).abs() * 4 - 1


def _edge(wave: Tensor) -> Tensor:
    return (wave * 5 + 0.5).clamp(0, 1)


def _meadow(x, y, first, second, k, smooth):
    top, horizon = _color(x, 0.36, 0.66, 0.93), 0.5 + 0.25 * k[0]
    sky = _mix(top, _color(x, 0.80, 0.92, 0.99), (y / horizon).clamp(0, 1))
    sky = _mix(sky, _color(x, 1, 1, 1), ((smooth - 0.55) * 5).clamp(0, 0.85) * (k[2] < 0.6))
    hill = horizon + 0.06 * torch.sin(x * (3 + 4 * k[1]) + 6 * k[3])
    grass = (
        _mix(_color(x, 0.45, 0.74, 0.28), _color(x, 0.18, 0.5, 0.17), ((y - hill) * 1.6).clamp(0, 1))
        + (smooth - 0.5) * 0.12
    )
    return _mix(sky, grass, ((y - hill) * 40).clamp(0, 1))


def _sea(x, y, first, second, k, smooth):
    horizon, shore = 0.35 + 0.2 * k[0], 0.78 + 0.12 * k[1]
    sky = _mix(_color(x, 0.47, 0.75, 0.95), _color(x, 0.93, 0.95, 0.93), (y / horizon).clamp(0, 1))
    water = _mix(_color(x, 0.10, 0.42, 0.68), _color(x, 0.22, 0.68, 0.76), ((y - horizon) * 2).clamp(0, 1))
    water = water + 0.07 * torch.sin(y * 70 + 4 * torch.sin(x * 9 + 6 * k[2])) * ((y - horizon) * 4).clamp(0, 1)
    sand = _color(x, 0.93, 0.84, 0.62) + (smooth - 0.5) * 0.08
    line = shore + 0.02 * torch.sin(x * 8 + 6 * k[3])
    return _mix(_mix(sky, water, ((y - horizon) * 60).clamp(0, 1)), sand, ((y - line) * 40).clamp(0, 1))


def _night(x, y, first, second, k, smooth):
    sky = _mix(_color(x, 0.03, 0.04, 0.14), _color(x, 0.13, 0.15, 0.38), y)
    u, v = x * 9 + 9 * k[1], y * 9 + 9 * k[2]
    cell = torch.sin(u.floor() * 127.1 + v.floor() * 311.7 + 50 * k[3]) * 43758.5
    cell = cell - cell.floor()
    far = ((u % 1 - 0.2 - 0.6 * cell) ** 2 + (v % 1 - 0.2 - 0.6 * ((cell * 7) % 1)) ** 2).sqrt()
    stars = (1 - far * (5 + 5 * ((cell * 13) % 1))).clamp(0, 1) * (cell > 0.45)
    ground = (y - 0.82 - 0.05 * torch.sin(x * 5 + 6 * k[4])) * 40
    return _mix(sky + stars * 0.95, _color(x, 0.04, 0.06, 0.09), ground.clamp(0, 1) * (k[0] < 0.5))


def _snow(x, y, first, second, k, smooth):
    hill = 0.5 + 0.2 * k[0] + 0.07 * torch.sin(x * (3 + 3 * k[1]) + 6 * k[2])
    sky = _mix(_color(x, 0.62, 0.74, 0.86), _color(x, 0.85, 0.9, 0.95), (y * 1.6).clamp(0, 1))
    snow = _mix(_color(x, 0.98, 0.99, 1.0), _color(x, 0.80, 0.87, 0.95), ((y - hill) * 1.5).clamp(0, 1))
    made = _mix(sky, snow, ((y - hill) * 30).clamp(0, 1))
    u, v = x * 7 + 7 * k[3], y * 7 + 7 * k[4]
    cell = torch.sin(u.floor() * 127.1 + v.floor() * 311.7) * 43758.5
    cell = cell - cell.floor()
    far = ((u % 1 - 0.2 - 0.6 * cell) ** 2 + (v % 1 - 0.2 - 0.6 * ((cell * 7) % 1)) ** 2).sqrt()
    return made + (1 - far * 5).clamp(0, 1) * 0.9


def _desert(x, y, first, second, k, smooth):
    far = 0.5 + 0.15 * k[0] + 0.05 * torch.sin(x * 6 + 6 * k[1])
    near = far + 0.18 + 0.08 * torch.sin(x * 4 + 6 * k[2])
    sky = _mix(_color(x, 0.45, 0.72, 0.93), _color(x, 0.98, 0.90, 0.72), (y / far).clamp(0, 1))
    made = _mix(sky, _color(x, 0.89, 0.68, 0.38), ((y - far) * 40).clamp(0, 1))
    sand = _color(x, 0.94, 0.77, 0.46) + 0.03 * torch.sin((y - near) * 90 + 5 * smooth)
    return _mix(made, sand, ((y - near) * 40).clamp(0, 1))


def _room(x, y, first, second, k, smooth):
    edge = 0.68 + 0.12 * k[0]
    wall = _mix(_color(x, 0.93, 0.87, 0.76), _color(x, 0.78, 0.86, 0.86), k[1]) - 0.05 * y
    wall = wall - 0.05 * (_wave(x * 6) > 0.6) * (k[2] < 0.5)
    boards = (((y - edge) * 14) % 1 < 0.12) * 0.10 + ((x * 3 + ((y - edge) * 14).floor() * 0.37) % 1 < 0.03) * 0.08
    floor = _color(x, 0.66, 0.45, 0.28) + (smooth - 0.5) * 0.08 - boards
    skirting = ((y > edge - 0.035) & (y <= edge)) * 1.0
    return _mix(_mix(wall, _color(x, 0.98, 0.97, 0.95), skirting), floor, (y > edge) * 1.0)


_DRAWN: dict[str, Callable[..., Tensor]] = {
    "gradient": _gradient,
    "striped": _striped,
    "checked": _checked,
    "dotted": _dotted,
    "meadow": _meadow,
    "sea": _sea,
    "night sky": _night,
    "snow": _snow,
    "desert": _desert,
    "room": _room,
}
