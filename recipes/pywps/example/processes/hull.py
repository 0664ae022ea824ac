"""Complex data: GeoJSON in, GeoJSON out."""

import json

from pywps import FORMATS, ComplexInput, ComplexOutput, LiteralOutput, Process
from pywps.app.exceptions import ProcessError

EXAMPLE = {
    "type": "MultiPoint",
    "coordinates": [[7.1, 50.7], [9.9, 53.6], [13.4, 52.5], [11.6, 48.1], [10.0, 51.0], [8.7, 50.1]],
}


class Hull(Process):
    def __init__(self):
        super().__init__(
            self._handler,
            identifier="hull",
            title="Convex hull",
            abstract="The smallest convex polygon around all coordinates of a GeoJSON document, with its area and its centre. "
                     "Coordinates are taken as plane.",
            version="1.0",
            inputs=[
                ComplexInput(
                    "shape", "Any GeoJSON document", supported_formats=[FORMATS.GEOJSON], default=json.dumps(EXAMPLE), min_occurs=0,
                ),
            ],
            outputs=[
                ComplexOutput("hull", "The hull, a GeoJSON feature", supported_formats=[FORMATS.GEOJSON]),
                LiteralOutput("points", "How many coordinates there were", data_type="integer"),
            ],
            store_supported=True,
            status_supported=True,
        )

    @staticmethod
    def _handler(request, response):
        try:
            shape = json.loads(request.inputs["shape"][0].data)
            points = list(coordinates(shape))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ProcessError("The input shape is not a GeoJSON document.") from None
        corners = convex_hull(points)
        if len(corners) < 3:
            raise ProcessError("A hull needs three points that are not on one line, this shape has too few.")
        area, centre = area_and_centre(corners)
        feature = {
            "type": "Feature",
            "bbox": [min(x for x, _ in corners), min(y for _, y in corners),
                     max(x for x, _ in corners), max(y for _, y in corners)],
            "properties": {"area": round(area, 6), "centre": [round(value, 6) for value in centre]},
            "geometry": {"type": "Polygon", "coordinates": [[list(point) for point in corners + corners[:1]]]},
        }
        response.outputs["hull"].data = json.dumps(feature)
        response.outputs["points"].data = len(points)
        return response


def coordinates(shape):
    """All positions of a GeoJSON object, whatever its type."""
    kind = shape["type"]
    if kind == "FeatureCollection":
        for feature in shape["features"]:
            yield from coordinates(feature)
    elif kind == "Feature":
        if shape["geometry"] is not None:
            yield from coordinates(shape["geometry"])
    elif kind == "GeometryCollection":
        for geometry in shape["geometries"]:
            yield from coordinates(geometry)
    else:
        yield from positions(shape["coordinates"])


def positions(nested):
    """The pairs of numbers in lists of lists."""
    if nested and not isinstance(nested[0], list):
        yield float(nested[0]), float(nested[1])
        return
    for inner in nested:
        yield from positions(inner)


def convex_hull(points):
    """The corners, counter-clockwise (Andrew's monotone chain)."""
    points = sorted(set(points))
    if len(points) < 3:
        return points

    def half(sequence):
        chain = []
        for point in sequence:
            while len(chain) > 1 and turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return half(points) + half(reversed(points))


def turn(a, b, c):
    """Above 0 if a, b, c turn to the left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def area_and_centre(corners):
    """Area and centroid of a simple polygon."""
    doubled = x = y = 0.0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        cross = x0 * y1 - x1 * y0
        doubled += cross
        x += (x0 + x1) * cross
        y += (y0 + y1) * cross
    return abs(doubled) / 2, (x / (3 * doubled), y / (3 * doubled))
