"""A slow process that says how far it is: run it asynchronously and watch its status."""

import time

from pywps import LiteralInput, LiteralOutput, Process
from pywps.inout.literaltypes import AllowedValue
from pywps.validator.allowed_value import ALLOWEDVALUETYPE, RANGECLOSURETYPE


class Wait(Process):
    def __init__(self):
        super().__init__(
            self._handler,
            identifier="wait",
            title="Wait",
            abstract="Waits for some seconds and reports its progress.",
            version="1.0",
            inputs=[
                LiteralInput(
                    "seconds", "How long", data_type="float", default=5.0, min_occurs=0,
                    allowed_values=[
                        AllowedValue(
                            ALLOWEDVALUETYPE.RANGE, minval=0, maxval=120, range_closure=RANGECLOSURETYPE.CLOSED,
                        )
                    ],
                ),
                LiteralInput(
                    "steps", "How many reports of progress", data_type="integer", default=10, min_occurs=0,
                    allowed_values=[
                        AllowedValue(
                            ALLOWEDVALUETYPE.RANGE, minval=1, maxval=100, range_closure=RANGECLOSURETYPE.CLOSED,
                        )
                    ],
                ),
            ],
            outputs=[LiteralOutput("waited", "How long it took, in seconds", data_type="float")],
            store_supported=True,
            status_supported=True,
        )

    @staticmethod
    def _handler(request, response):
        seconds = request.inputs["seconds"][0].data
        steps = request.inputs["steps"][0].data
        began = time.monotonic()
        for step in range(steps):
            response.update_status("step %d of %d" % (step + 1, steps), int(100 * step / steps))
            time.sleep(seconds / steps)
        response.outputs["waited"].data = round(time.monotonic() - began, 3)
        return response
