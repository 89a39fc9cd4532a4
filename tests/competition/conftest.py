"""What the tests of competition share."""

import dataclasses

from kit.competition.catalog import COMPETITIONS
from kit.competition.conventions import Competition


def pixels(table) -> dict:
    """Pixels of every object of every image."""
    found = {}
    for image, name in enumerate(table.ids):
        found[name] = []
        for item in range(table.objects[image], table.objects[image + 1]):
            runs = range(table.runs[item], table.runs[item + 1])
            found[name].append(
                {
                    p
                    for run in runs
                    for p in range(table.start[run], table.start[run] + table.length[run])
                }
            )
    return found


# Six rows by hand, in the form of each competition's files. Fields that its conventions leave open
# have arbitrary values here.
CLOUDS = dataclasses.replace(COMPETITIONS["clouds"], labels=("Fish", "Flower", "Sugar"))
SIX = {
    "airbus": (
        COMPETITIONS["airbus"],
        False,
        "ImageId,EncodedPixels",
        "a.jpg,1 3\na.jpg,769 2\nb.jpg,\nc.jpg,589824 1\nd.jpg,\ne.jpg,10 2 13 1",
    ),
    "tgs-salt": (
        COMPETITIONS["tgs-salt"],
        False,
        "id,rle_mask",
        "a,1 101\nb,\nc,102 5 10201 1\nd,\ne,1 10201\nf,7 1",
    ),
    "dsb2018": (
        COMPETITIONS["dsb2018"],
        False,
        "ImageId,EncodedPixels",
        "a,1 3\na,5 2\na,9 1\nb,1 1\nb,8 2\nc,4 4 9 1",
    ),
    "severstal": (
        COMPETITIONS["severstal"],
        False,
        "ImageId,ClassId,EncodedPixels",
        "a.jpg,1,1 3\na.jpg,4,2 9\nb.jpg,3,257 2\nc.jpg,2,409600 1\nc.jpg,3,5 5\nd.jpg,1,7 7",
    ),
    "severstal submission": (
        dataclasses.replace(COMPETITIONS["severstal"], labels=("1", "2", "3")),
        True,
        "ImageId_ClassId,EncodedPixels",
        "a.jpg_1,1 3\na.jpg_2,\na.jpg_3,\nb_c.jpg_1,\nb_c.jpg_2,257 2 300 4\nb_c.jpg_3,2 3",
    ),
    "clouds": (
        CLOUDS,
        False,
        "Image_Label,EncodedPixels",
        "a.jpg_Fish,1 3\na.jpg_Flower,\na.jpg_Sugar,2 1400\n"
        "b.jpg_Fish,\nb.jpg_Flower,2940000 1\nb.jpg_Sugar,",
    ),
    "clouds submission": (
        CLOUDS,
        True,
        "Image_Label,EncodedPixels",
        "a.jpg_Fish,1 3\na.jpg_Flower,\na.jpg_Sugar,2 350\n"
        "b.jpg_Fish,\nb.jpg_Flower,183750 1\nb.jpg_Sugar,",
    ),
    "siim-pneumothorax": (
        dataclasses.replace(COMPETITIONS["siim-pneumothorax"], order="down", height=16, width=20),
        False,
        "ImageId,EncodedPixels",
        "a,0 3 5 2\na,3 5\nb,-1\nc,319 1\nd,-1\ne,100 10 6 4 10 1",
    ),
    "contrails": (
        COMPETITIONS["contrails"],
        False,
        "record_id,encoded_pixels",
        "1,1 3\n2,-\n3,65536 1\n4,-\n5,-\n6,9 1 300 20",
    ),
    "across": (
        Competition(
            name="across",
            id_column="Id",
            runs_column="Predicted",
            row="image",
            order="across",
            height=3,
            width=4,
        ),
        False,
        "Id,Predicted",
        "a,1 4\nb,5 3 9 2\nc,\nd,12 1\ne,1 12\nf,2 1 6 1",
    ),
}
