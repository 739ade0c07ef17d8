"""``cloudchamber sim``: the simulators as tools of their own."""

from __future__ import annotations

import typer

from cloudchamber.sim.de_excitation import de_excite
from cloudchamber.sim.hadronic import hadronic
from cloudchamber.sim.heavyion import heavyion
from cloudchamber.sim.radio import radio
from cloudchamber.sim.showers import showers
from cloudchamber.sim.skies import skies
from cloudchamber.sim.transport import transport

sim = typer.Typer(
    help="A simulator as a tool of its own, in the idiom of its field's known program.", no_args_is_help=True
)
sim.command("heavyion", context_settings={"help_option_names": ["-h", "--help"]})(heavyion)
sim.command("skies")(skies)
sim.command("hadronic")(hadronic)
sim.command("transport")(transport)
sim.command("de-excite")(de_excite)
sim.command("showers")(showers)
sim.command("radio")(radio)
