"""Write the figures into `spec/figures/`: `python -m website.figures`."""

from website.figures import FIGURES
from website.places import ROOT

if __name__ == "__main__":
    folder = ROOT / "spec" / "figures"
    folder.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        (folder / f"{name}.svg").write_text(draw(), encoding="utf-8")
