"""Literal values: text, a number and a choice in, text and a number out."""

from pywps import LiteralInput, LiteralOutput, Process

GREETINGS = {"english": "Hello", "french": "Bonjour", "german": "Guten Tag", "spanish": "Hola"}


class Greet(Process):
    def __init__(self):
        super().__init__(
            self._handler,
            identifier="greet",
            title="Greeting",
            abstract="Greets somebody as often as you like, and counts the letters.",
            version="1.0",
            inputs=[
                LiteralInput("name", "Whom to greet", data_type="string", default="World", min_occurs=0),
                LiteralInput(
                    "language", "In which language", data_type="string", default="english", min_occurs=0,
                    allowed_values=sorted(GREETINGS),
                ),
                LiteralInput(
                    "times", "How often", data_type="integer", default=1, min_occurs=0, allowed_values=[1, 2, 3, 4, 5],
                ),
            ],
            outputs=[
                LiteralOutput("greeting", "The greeting", data_type="string"),
                LiteralOutput("letters", "Number of letters in it", data_type="integer"),
            ],
            store_supported=True,
            status_supported=True,
        )

    @staticmethod
    def _handler(request, response):
        name = request.inputs["name"][0].data
        language = request.inputs["language"][0].data
        times = request.inputs["times"][0].data
        greeting = " ".join(["%s, %s!" % (GREETINGS[language], name)] * times)
        response.outputs["greeting"].data = greeting
        response.outputs["letters"].data = sum(character.isalpha() for character in greeting)
        return response
