import subprocess
import sys

# in a process of its own, since seaborn sets the parameters of the whole process
PROGRAM = """
from matplotlib import rcParams
import study.figures.style
ours = dict(rcParams)
import seaborn as sns
sns.set_theme(style="whitegrid", context="paper", font_scale=0.9, rc={"pdf.fonttype": 42})
def close(a, b):
    return abs(a - b) < 1e-9 if isinstance(a, float) else a == b
differing = [name for name in rcParams if not close(ours[name], rcParams[name])]
print(*differing)
"""


def test_the_theme_is_that_of_seaborn():
    """All but the colours of pictures without a scale of colours, of which there are none, and rounded colours."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["axes.prop_cycle", "image.cmap"]
