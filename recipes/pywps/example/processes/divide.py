"""A process that can fail, and says why: a `ProcessError` reaches the client, any other exception only the log."""

from pywps import LiteralInput, LiteralOutput, Process
from pywps.app.exceptions import ProcessError


class Divide(Process):
    def __init__(self):
        super().__init__(
            self._handler,
            identifier="divide",
            title="Division",
            abstract="Divides one number by another. Divide by 0 (the default) to see how a process fails.",
            version="1.0",
            inputs=[
                LiteralInput("dividend", "The number that is divided", data_type="float", default=1.0, min_occurs=0),
                LiteralInput("divisor", "The number to divide by", data_type="float", default=0.0, min_occurs=0),
            ],
            outputs=[LiteralOutput("quotient", "The result", data_type="float")],
            store_supported=True,
            status_supported=True,
        )

    @staticmethod
    def _handler(request, response):
        dividend = request.inputs["dividend"][0].data
        divisor = request.inputs["divisor"][0].data
        if divisor == 0:
            raise ProcessError("Cannot divide %g by zero, choose another divisor." % dividend)
        response.outputs["quotient"].data = dividend / divisor
        return response
