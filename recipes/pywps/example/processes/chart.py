"""A file as output: a chart as SVG, handed out by reference."""

import os
from xml.sax.saxutils import escape

from pywps import ComplexOutput, Format, LiteralInput, Process
from pywps.app.exceptions import ProcessError

SVG = Format("image/svg+xml", extension=".svg")
CSV = Format("text/csv", extension=".csv")


class Chart(Process):
    def __init__(self):
        super().__init__(
            self._handler,
            identifier="chart",
            title="Bar chart",
            abstract="Draws a bar chart of some numbers, and writes them into a table; both files are handed out by their address.",
            version="1.0",
            inputs=[
                LiteralInput("values", "Numbers, with commas between them", data_type="string", default="3, 1, 4, 1, 5, 9, 2, 6", min_occurs=0),
                LiteralInput("title", "Title of the chart", data_type="string", default="Some numbers", min_occurs=0),
            ],
            outputs=[
                ComplexOutput("chart", "The chart", as_reference=True, supported_formats=[SVG]),
                ComplexOutput("table", "The numbers", as_reference=True, supported_formats=[CSV]),
            ],
            store_supported=True,
            status_supported=True,
        )

    def _handler(self, request, response):
        try:
            values = [float(word) for word in request.inputs["values"][0].data.split(",")]
        except ValueError:
            raise ProcessError("The values must be numbers with commas between them, such as 3, 1, 4.") from None
        title = request.inputs["title"][0].data
        chart = os.path.join(self.workdir, "chart.svg")
        with open(chart, "w", encoding="utf-8") as file:
            file.write(draw(values, title))
        table = os.path.join(self.workdir, "table.csv")
        with open(table, "w", encoding="utf-8") as file:
            file.write("number,value\n")
            file.writelines("%d,%g\n" % entry for entry in enumerate(values, 1))
        response.outputs["chart"].file = chart
        response.outputs["table"].file = table
        return response


def draw(values, title, width=640, height=360, margin=40):
    """The chart: one bar a value, from a line at 0."""
    low, high = min(0, *values), max(0, *values)
    scale = (height - 2 * margin) / ((high - low) or 1)
    step = (width - 2 * margin) / len(values)
    zero = margin + high * scale
    bars = []
    for index, value in enumerate(values):
        x = margin + index * step + step * 0.1
        y = min(zero, zero - value * scale)
        bars.append(
            '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="#2a7f9e"><title>%g</title></rect>'
            % (x, y, step * 0.8, abs(value) * scale, value)
        )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">\n'
        '<title>%s</title>\n<rect width="100%%" height="100%%" fill="#fff"/>\n'
        '<text x="%d" y="26" font-family="sans-serif" font-size="16" fill="#222">%s</text>\n%s\n'
        '<path d="M%d %.1fH%d" stroke="#222"/>\n</svg>\n'
        % (width, height, escape(title), margin, escape(title), "\n".join(bars), margin, zero, width - margin)
    )
