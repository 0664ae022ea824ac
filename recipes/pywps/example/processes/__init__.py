"""Five processes that show what a Web Processing Service can do. `PROCESSES` is what the service offers."""

from processes.chart import Chart
from processes.divide import Divide
from processes.greet import Greet
from processes.hull import Hull
from processes.wait import Wait

PROCESSES = [Greet(), Hull(), Wait(), Chart(), Divide()]
