"""A few lines in the exact form of each competition's real CSVs, with what they mean.

Headers, spaces, empty cells, label columns and suffixes are those of the files; ids and runs are
made up. `score` is worked out by hand from the competition's formula.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    truth: str
    sample: str
    prediction: str  # of the truth's images, as the kit writes it
    shape: tuple[int, int]  # of the images
    objects: list[int]  # of each image of the truth
    score: dict[str, float]  # of the prediction; empty: the competition's score is not known here
    image: str = ""  # path of a training image; {tail}: the last four characters of the id
    mode: str = "RGB"  # of Pillow
    refused: str = ""  # what kit pack says if it cannot pack the images
    scored_at: tuple[int, int] | None = None  # the size that truth and prediction are scored at


FORMS = {
    "airbus": Form(
        "ImageId,EncodedPixels\na.jpg,1 20\na.jpg,769 10\nb.jpg,\nc.jpg,589821 4\n",
        "ImageId,EncodedPixels\na.jpg,1 2\nb.jpg,1 2\nc.jpg,1 2\n",
        "ImageId,EncodedPixels\na.jpg,1 19\nb.jpg,\nc.jpg,\n",
        (768, 768),
        [2, 0, 1],
        # Of two ships one is hit, IoU 0.95: at nine thresholds F2 = 5 / (5 + 4), at the tenth 0.
        {"f2": (0.9 * 5 / 9 + 1 + 0) / 3},
        "train_v2/{id}",
    ),
    "tgs-salt": Form(
        "id,rle_mask\n000e218f21,\n00441f1cf2,1 10\n0050766ae2,101 4 10201 1\n",
        "id,rle_mask\n000e218f21,1 1\n00441f1cf2,1 1\n0050766ae2,1 1\n",
        "id,rle_mask\n000e218f21,\n00441f1cf2,1 8\n0050766ae2,101 4 10201 1\n",
        (101, 101),
        [0, 1, 1],
        {"jaccard": (1 + 0.6 + 1) / 3},  # IoU 0.8 is above six of the ten thresholds
        "train/images/{id}.png",
    ),
    "dsb2018": Form(
        "ImageId,EncodedPixels\n00071198d0,1 10\n00071198d0,31 10\n003cee8935,5 4\n",
        "ImageId,EncodedPixels\n00071198d0,\n003cee8935,\n",
        "ImageId,EncodedPixels\n00071198d0,1 10\n00071198d0,60 3\n003cee8935,5 4\n",
        (52, 70),
        [2, 1],
        {"jaccard": (1 / 3 + 1) / 2},  # one hit, one missed, one false; and one hit
        "stage1_train/{id}/images/{id}.png",
        "RGBA",
    ),
    "severstal": Form(
        "ImageId,ClassId,EncodedPixels\n0002cc93b.jpg,1,29102 12\n000a4bcdd.jpg,4,7 8 300 2\n",
        "ImageId,ClassId,EncodedPixels\n"
        + "".join(f"{name},{k},\n" for name in ("0002cc93b.jpg", "000a4bcdd.jpg") for k in "1234"),
        "ImageId,ClassId,EncodedPixels\n0002cc93b.jpg,1,29102 6\n0002cc93b.jpg,2,\n"
        "0002cc93b.jpg,3,\n0002cc93b.jpg,4,\n000a4bcdd.jpg,1,1 1\n000a4bcdd.jpg,2,\n"
        "000a4bcdd.jpg,3,\n000a4bcdd.jpg,4,7 8 300 2\n",
        (256, 1600),
        [1, 1],
        {"dice": (2 * 6 / (12 + 6) + 3 + 0 + 2 + 1) / 8},  # of eight pairs of image and class
        "train_images/{id}",
    ),
    "severstal with suffixes": Form(
        "ImageId_ClassId,EncodedPixels\n0002cc93b.jpg_1,29102 12\n0002cc93b.jpg_2,\n"
        "0002cc93b.jpg_3,\n0002cc93b.jpg_4,\n00031f466.jpg_1,\n00031f466.jpg_2,\n"
        "00031f466.jpg_3,\n00031f466.jpg_4,409600 1\n",
        "ImageId_ClassId,EncodedPixels\n"
        + "".join(
            f"{name}_{k},1 1\n" for name in ("0002cc93b.jpg", "00031f466.jpg") for k in "1234"
        ),
        "ImageId_ClassId,EncodedPixels\n0002cc93b.jpg_1,29102 6\n0002cc93b.jpg_2,\n"
        "0002cc93b.jpg_3,\n0002cc93b.jpg_4,\n00031f466.jpg_1,\n00031f466.jpg_2,\n"
        "00031f466.jpg_3,\n00031f466.jpg_4,\n",
        (256, 1600),
        [1, 1],
        {"dice": (2 * 6 / (12 + 6) + 3 + 3 + 0) / 8},
        "train_images/{id}",
    ),
    "clouds": Form(
        "Image_Label,EncodedPixels\n0011165.jpg_Fish,264918 93\n0011165.jpg_Flower,1355565 1002\n"
        "0011165.jpg_Gravel,\n0011165.jpg_Sugar,\n002be4f.jpg_Fish,\n002be4f.jpg_Flower,\n"
        "002be4f.jpg_Gravel,\n002be4f.jpg_Sugar,2940000 1\n",
        "Image_Label,EncodedPixels\n0011165.jpg_Fish,1 1\n0011165.jpg_Flower,1 1\n"
        "0011165.jpg_Gravel,1 1\n0011165.jpg_Sugar,1 1\n002be4f.jpg_Fish,1 1\n"
        "002be4f.jpg_Flower,1 1\n002be4f.jpg_Gravel,1 1\n002be4f.jpg_Sugar,1 1\n",
        "Image_Label,EncodedPixels\n0011165.jpg_Fish,\n0011165.jpg_Flower,1 4\n"
        "0011165.jpg_Gravel,\n0011165.jpg_Sugar,\n002be4f.jpg_Fish,\n"
        "002be4f.jpg_Flower,\n002be4f.jpg_Gravel,\n002be4f.jpg_Sugar,183750 1\n",
        (1400, 2100),
        [2, 1],
        {"dice": (0 + 3 + 0 + 3) / 8},  # the truth below, at the submission's size
        "train_images/{id}",
        scored_at=(350, 525),
    ),
    "siim-pneumothorax": Form(
        "ImageId, EncodedPixels\n"
        "1.2.276.0.7230010.3.1.4.8323329.6904,-1\n"
        "1.2.276.0.7230010.3.1.4.8323329.13666, 557374 2 1015 8\n"
        "1.2.276.0.7230010.3.1.4.8323329.13666, 0 10\n"
        "1.2.276.0.7230010.3.1.4.8323329.11028, -1\n",
        "ImageId,EncodedPixels\n1.2.276.0.7230010.3.1.4.8323329.6904,-1\n"
        "1.2.276.0.7230010.3.1.4.8323329.13666,-1\n1.2.276.0.7230010.3.1.4.8323329.11028,-1\n",
        "ImageId,EncodedPixels\n1.2.276.0.7230010.3.1.4.8323329.6904,-1\n"
        "1.2.276.0.7230010.3.1.4.8323329.13666,0 10\n1.2.276.0.7230010.3.1.4.8323329.11028,5 1\n",
        (1024, 1024),
        [0, 2, 0],
        {"dice": (1 + 2 * 10 / (20 + 10) + 0) / 3},
        refused="its train_images is not set",
    ),
    "contrails": Form(
        "record_id,encoded_pixels\n1000823728928031783,1 10\n1002653297254493116,-\n",
        "record_id,encoded_pixels\n1000823728928031783,1 1\n1002653297254493116,1 1\n",
        "record_id,encoded_pixels\n1000823728928031783,1 8\n1002653297254493116,9 2\n",
        (256, 256),
        [1, 0],
        {"global_dice": 2 * 8 / (10 + 10)},  # over all pixels of all images; the mean is 0.44
        refused="its train_images is not set",
    ),
    "hubmap-kidney": Form(
        "id,encoding\n2f6ecfcdf,1 10\naaa6a05cc,296084587 4\n",
        "id,predicted\n2f6ecfcdf,\naaa6a05cc,\n",
        "id,predicted\n2f6ecfcdf,1 5\naaa6a05cc,\n",
        (31278, 25794),
        [1, 1],
        {"dice": (2 * 5 / (10 + 5) + 0) / 2},
        "train/{id}.tiff",
        "RGB",
        refused="TIFF",
    ),
    "uw-madison": Form(
        "id,class,segmentation\ncase123_day20_slice_0001,large_bowel,\n"
        "case123_day20_slice_0001,small_bowel,28094 3 28358 7\n"
        "case123_day20_slice_0001,stomach,1 9\ncase123_day20_slice_0002,large_bowel,\n"
        "case123_day20_slice_0002,small_bowel,\ncase123_day20_slice_0002,stomach,\n",
        "id,class,predicted\ncase123_day20_slice_0001,large_bowel,1 1 5 2\n"
        "case123_day20_slice_0001,small_bowel,1 1 5 2\n"
        "case123_day20_slice_0001,stomach,1 1 5 2\n"
        "case123_day20_slice_0002,large_bowel,1 1 5 2\n"
        "case123_day20_slice_0002,small_bowel,1 1 5 2\n"
        "case123_day20_slice_0002,stomach,1 1 5 2\n",
        "id,class,predicted\ncase123_day20_slice_0001,large_bowel,\n"
        "case123_day20_slice_0001,small_bowel,28094 3\ncase123_day20_slice_0001,stomach,\n"
        "case123_day20_slice_0002,large_bowel,\ncase123_day20_slice_0002,small_bowel,\n"
        "case123_day20_slice_0002,stomach,\n",
        (266, 360),
        [2, 0],
        {},
        "train/case123/case123_day20/scans/slice_{tail}_360_266_1.50_1.50.png",
        "I;16",
        refused="16",
    ),
    "sartorius": Form(
        "id,annotation,width,height,cell_type,plate_time,sample_date,sample_id,elapsed_timedelta\n"
        "0030fd0e6378,118145 6 118849 7,704,520,shsy5y,11h30m00s,2019-06-16,shsy5y[diff],0 days\n"
        "0030fd0e6378,1 4,704,520,shsy5y,11h30m00s,2019-06-16,shsy5y[diff],0 days\n"
        "0140b3c8f445,9 2,704,520,astro,09h00m00s,2020-09-14,astro[cereb],0 days\n",
        "id,predicted\n0030fd0e6378,118145 6 118849 7\n0140b3c8f445,118145 6 118849 7\n",
        "id,predicted\n0030fd0e6378,1 4\n0140b3c8f445,9 2\n",
        (520, 704),
        [2, 1],
        {"jaccard": (1 / 2 + 1) / 2},
        "train/{id}.png",
        "L",
    ),
}
