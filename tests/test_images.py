"""Pictures: the box, the center, and that a person's picture is read like the original digit."""

from __future__ import annotations

import contextlib
import io

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pictures import READ, REFUSE, bar, on_page, plain, thumb
from PIL import Image, ImageFilter

from mnist_code.config import Config
from mnist_code.data import as_vectors
from mnist_code.errors import ImageError
from mnist_code.evaluation import predicted_labels
from mnist_code.images import (
    BOX,
    SIDE,
    as_text,
    doubts,
    fit_box,
    read_image,
    read_with_hints,
)
from mnist_code.recipes import READ_FROM_PAPER, recipe_for
from mnist_code.training import fit

INKS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    elements=st.just(0.0) | st.floats(0.25, 1, width=16),
).filter(lambda ink: ink.max() > 0)


@settings(deadline=None)
@given(ink=INKS)
def test_any_ink_takes_the_form_of_mnist(ink):
    """An ink of odd shape or faintness that overflows the box, fades or goes off-center."""
    image = fit_box(ink)
    assert image.shape == (SIDE, SIDE)
    assert image.dtype == np.uint8
    assert image.max() == 255
    rows, columns = np.nonzero(image)
    for places, axis in ((rows, 1), (columns, 0)):
        assert places.max() - places.min() < BOX
        center = (np.arange(SIDE) * image.sum(axis)).sum() / image.sum()
        # A box with almost all its mass at one end cannot be centered: it stops at the border.
        at_the_border = places.min() <= 1 or places.max() >= SIDE - 2
        assert abs(center - (SIDE - 1) / 2) <= 1 or at_the_border


@pytest.mark.parametrize(
    "shape", [(80, 20), (20, 80), (50, 50), (5, 400), (400, 5), (1, 1)]
)
def test_a_bar_keeps_its_proportions_and_its_center(shape):
    """A box that is stretched, or centered by its corners."""
    image = fit_box(np.pad(np.ones(shape), 17))
    rows, columns = np.nonzero(image)
    box = (np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert max(box) == BOX
    assert box == tuple(max(1, round(side * BOX / max(shape))) for side in shape)
    for places in (rows, columns):
        assert abs(places.mean() - (SIDE - 1) / 2) <= 0.5


def test_the_center_is_that_of_the_mass_not_of_the_box():
    """Centering by the box: a heavy left part must pull the picture to the right."""
    ink = np.zeros((40, 40))
    ink[:, :8] = 1.0
    ink[10:30] = 1.0
    image = fit_box(ink).astype(float)
    column = (image.sum(0) * np.arange(SIDE)).sum() / image.sum()
    assert abs(column - 13.5) <= 0.5
    assert np.nonzero(image)[1].min() > 4  # a box in the middle would start at 4


def test_no_ink_is_refused():
    """A division by zero where there is nothing to fit."""
    with pytest.raises(ImageError, match="no ink"):
        fit_box(np.zeros((28, 28)))


# Pictures a person has. Each takes an image of the data set (28 × 28, light on black) and a random
# generator, and writes a file.


def _enlarged(image, side=300):
    return Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)


def _on_page(image, side, size, corner):
    """Light on black, somewhere on a larger page, as an array from 0 to 1."""
    page = Image.new("L", size, 0)
    page.paste(_enlarged(image, side), corner)
    return np.asarray(page) / 255


def _save(values, path, **options):
    picture = Image.fromarray(np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8))
    picture.save(path, compress_level=1, **options)  # quickly


def _light_on_dark(image, path, rng):
    _enlarged(image).save(path, "PNG")


def _dark_on_light(image, path, rng):
    _save(1 - np.asarray(_enlarged(image)) / 255, path, format="PNG")


def _tiny(image, path, rng):
    Image.fromarray(255 - image).save(path, "PNG")


def _off_center(image, path, rng):
    corner = tuple(rng.integers(0, (900, 600)))
    _save(1 - _on_page(image, 300, (1200, 900), corner), path, format="PNG")


def _small_on_large_page(image, path, rng):
    _save(1 - _on_page(image, 150, (1200, 900), (800, 100)), path, format="PNG")


def _fills_the_frame(image, path, rng):
    rows, columns = np.nonzero(image)
    tight = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    large = Image.fromarray(tight).resize((tight.shape[1] * 12, tight.shape[0] * 12))
    _save(1 - np.pad(np.asarray(large) / 255, 6), path, format="PNG")


def _colored_ink(image, path, rng):
    ink = (_on_page(image, 300, (400, 400), (50, 50)))[..., None]
    paper, blue = np.array([0.98, 0.96, 0.88]), np.array([0.15, 0.25, 0.7])
    _save(paper * (1 - ink) + blue * ink, path, format="PNG")


def _transparent(image, path, rng):
    picture = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    picture.putalpha(_enlarged(image))
    picture.save(path, "PNG")


def _lighting_gradient(image, path, rng):
    ink = _on_page(image, 300, (600, 500), (150, 100))
    light = np.linspace(0.95, 0.5, 600)[None] * np.linspace(1.0, 0.9, 500)[:, None]
    _save(light * (1 - 0.8 * ink), path, format="PNG")


def _noise(image, path, rng):
    values = 0.9 - 0.8 * _on_page(image, 300, (500, 400), (100, 50))
    _save(values + rng.normal(0, 0.04, values.shape), path, format="PNG")


def _jpeg(image, path, rng):
    _save(
        1 - _on_page(image, 300, (500, 400), (100, 50)), path, format="JPEG", quality=60
    )


def _photo(image, path, rng):
    """Everything at once: soft, gray, noisy, unevenly lit, compressed."""
    ink = _on_page(image, 400, (1000, 800), (300, 200))
    soft = Image.fromarray(np.rint(255 * ink).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(3)
    )
    values = 0.85 - 0.6 * np.asarray(soft) / 255
    values = values * np.linspace(1.0, 0.7, 1000)[None] + rng.normal(
        0, 0.03, values.shape
    )
    _save(values, path, format="JPEG", quality=60)


def _turned_by_the_camera(image, path, rng):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90° clockwise"
    picture = Image.fromarray(255 - np.asarray(_enlarged(image))).transpose(
        Image.Transpose.ROTATE_90
    )
    picture.save(path, "JPEG", quality=90, exif=exif)


def _gray_of_16_bits(image, path, rng):
    values = 1 - np.asarray(_enlarged(image)) / 255
    Image.fromarray(np.rint(40_000 * values + 20_000).astype(np.uint16)).save(
        path, "PNG"
    )


def _palette(image, path, rng):
    picture = Image.fromarray(255 - np.asarray(_enlarged(image))).convert("RGB")
    picture.quantize(8).save(path, "PNG")


def _bilevel(image, path, rng):
    """As from a scanner: whatever is a quarter dark is black."""
    picture = _enlarged(image).point(lambda light: 0 if light > 64 else 255)
    picture.convert("1").save(path, "PNG")


def _gray_with_alpha(image, path, rng):
    Image.fromarray(255 - np.asarray(_enlarged(image))).convert("LA").save(path, "PNG")


def _white_on_nothing(image, path, rng):
    picture = Image.new("RGBA", (300, 300), (255, 255, 255, 0))
    picture.putalpha(_enlarged(image))
    picture.save(path, "PNG")


def _framed(image, path, rng):
    """As cut from a form: a black line all around."""
    values = 1 - _on_page(image, 300, (600, 600), (150, 150))
    _save(np.pad(values, 6), path, format="PNG")


def _darker_corners(image, path, rng):
    values = 1 - _on_page(image, 300, (500, 500), (100, 100))
    x = np.linspace(-1, 1, 500) ** 2
    _save(values * (1 - 0.25 * (x[None] + x[:, None])), path, format="PNG")


def _specks(image, path, rng):
    values = 1 - _on_page(image, 300, (500, 500), (100, 100))
    for row, column in rng.integers(0, 497, (6, 2)):
        values[row : row + 3, column : column + 3] = 0.1
    _save(values, path, format="PNG")


MANNERS = [
    _light_on_dark, _dark_on_light, _tiny, _off_center, _small_on_large_page, _fills_the_frame,
    _colored_ink, _transparent, _lighting_gradient, _noise, _jpeg, _photo, _turned_by_the_camera,
    _gray_of_16_bits, _palette, _bilevel, _gray_with_alpha, _darker_corners, _specks,
    _framed, _white_on_nothing,
]  # fmt: skip


def _recognized(params, images, labels, manner, path):
    """The parts of the originals and of their redrawn pictures that are recognized."""
    rng = np.random.default_rng(0)
    pictures = []
    for image in images[..., 0]:
        manner(image, path, rng)
        try:
            pictures.append(read_image(path))
        except ImageError:  # refused: not recognized, either
            pictures.append(np.zeros((28, 28, 1), np.uint8))
    found = [
        float(
            np.mean(predicted_labels(params, jnp.asarray(as_vectors(these))) == labels)
        )
        for these in (images, np.stack(pictures))
    ]
    return found


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__[1:])
def test_redrawn_digits_are_recognized(dataset, trained, manner, tmp_path):
    """A manner of drawing that is brought to another form than the images learned from."""
    images, labels = dataset.test_images[:80], dataset.test_labels[:80]
    original, redrawn = _recognized(
        trained, images, labels, manner, tmp_path / "picture"
    )
    # Which of 80 are read wrongly changes with the network, and so with the CPU it was trained
    # on: up to four of them. A digit two pixels off its place costs 25.
    # A digit on a page ten times its size is a few pixels wide when the page has been reduced.
    lost = 9 if manner is _small_on_large_page else 5
    assert redrawn >= original - lost / 80


@pytest.fixture(scope="module")
def reader(mnist):
    """A network that reads about 97.5% of MNIST."""
    return fit(mnist, Config(epochs=8))[0]


@pytest.mark.slow
@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__[1:])
def test_redrawn_images_of_mnist_are_recognized(mnist, reader, manner, tmp_path):
    """As above, with thinner and more varied strokes."""
    images, labels = mnist.test_images[:150], mnist.test_labels[:150]
    original, redrawn = _recognized(
        reader, images, labels, manner, tmp_path / "picture"
    )
    # Reading ruled paper, shadows and blackboards costs plain pictures a point or two.
    assert redrawn >= original - (0.07 if manner is _small_on_large_page else 0.045)


# Photographs that need more than a threshold


def _content(values):
    file = io.BytesIO()
    _save(values, file, format="PNG")
    return file.getvalue()


def _read_or_refused(params, images, labels, manner):
    """The parts of pictures that are read right, and that are refused."""
    rng = np.random.default_rng(0)
    read, theirs = [], []
    for image, label in zip(images[..., 0], labels, strict=True):
        content = _content(manner(image, rng))
        try:
            read.append(read_image(content))
        except ImageError as error:
            assert "Crop the picture" in str(error)  # noqa: PT017
        else:
            theirs.append(label)
    right = 0
    if read:
        found = predicted_labels(params, jnp.asarray(as_vectors(np.stack(read))))
        right = int(np.sum(np.asarray(found) == np.array(theirs)))
    return right / len(images), 1 - len(read) / len(images)


@pytest.mark.parametrize(
    "manner",
    # Digits have thick strokes
    [manner for manner in READ if manner.__name__ != "hairline"],
    ids=lambda manner: manner.__name__,
)
def test_digits_in_hard_pictures_are_recognized(dataset, trained, manner):
    """Ruled lines, shadows or chalk taken for ink, or removed together with it."""
    images, labels = dataset.test_images[:40], dataset.test_labels[:40]
    assert _read_or_refused(trained, images, labels, manner)[0] >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("manner", READ, ids=lambda manner: manner.__name__)
def test_mnist_in_hard_pictures_is_recognized(mnist, reader, manner):
    """As above, with thinner and more varied strokes."""
    images, labels = mnist.test_images[:100], mnist.test_labels[:100]
    least = 0.95 if manner is plain else 0.85 if manner.__name__ == "hairline" else 0.88
    assert _read_or_refused(reader, images, labels, manner)[0] >= least


@pytest.mark.slow
@pytest.mark.parametrize("manner", REFUSE, ids=lambda manner: manner.__name__)
def test_what_hides_the_digit_is_refused_or_ignored(mnist, reader, manner):
    """A confident answer about a thumb, a bar, a table, or two thirds of a digit."""
    images, labels = mnist.test_images[:60], mnist.test_labels[:60]
    right, refused = _read_or_refused(reader, images, labels, manner)
    assert right + refused >= 0.98
    assert refused >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("name", READ_FROM_PAPER)
def test_what_to_expect_after_training_on_the_digits(name, dataset, mnist):
    """A promise of the command that pictures of other people's digits do not keep."""
    images, labels = mnist.test_images[:300], mnist.test_labels[:300]
    params, _ = fit(dataset, recipe_for(name, "digits"))
    right, refused = _read_or_refused(params, images, labels, plain)
    print(f"{name}: {right:.1%} of plain pictures right, {refused:.1%} refused")
    assert abs(right - READ_FROM_PAPER[name]) < 0.05


@pytest.mark.parametrize("manner", [thumb, bar], ids=["thumb", "bar"])
@pytest.mark.parametrize("light", [False, True])
def test_something_solid_at_the_edge_is_refused(manner, light, dataset):
    """A thumb or a bar taken for paper, and the rest for a picture without it."""
    rng = np.random.default_rng(0)
    for image in dataset.test_images[:10, ..., 0]:
        page = manner(image, rng)
        with pytest.raises(ImageError, match=r"touches its edge.*Crop"):
            read_image(_content(1 - page if light else page))


def _beside(left, right):
    return np.hstack(
        [plain(image, np.random.default_rng(0)) for image in (left, right)]
    )


def test_a_doubtful_picture_comes_with_a_hint(dataset):
    """A number of two digits, of which one is read as if it were alone."""
    images = dataset.test_images[..., 0]
    assert (
        read_with_hints(_content(plain(images[0], np.random.default_rng(0))))[1] == []
    )
    _, hints = read_with_hints(_content(_beside(images[0], images[1])))
    assert "2 shapes of similar size" in doubts(hints, 0.99)
    assert "hesitates" in doubts([], 0.5)
    assert doubts([], 0.95) == ""


def test_a_solid_area_is_refused():
    """A blot, a logo or a sheet on a table, with the probability of some digit."""
    page = np.ones((300, 300))
    page[100:180, 90:190] = 0.1
    with pytest.raises(ImageError, match=r"solid.*Crop"):
        read_image(_content(page))


@pytest.mark.parametrize("turned", [False, True])
def test_a_line_goes_and_the_strokes_across_it_stay(turned, dataset):
    """A digit cut in two where a line crosses it."""
    ink = on_page(dataset.test_images[0, ..., 0], corner=(250, 200))
    lined = ink.copy()
    lined[350:353] = 1.0
    seen = []
    for page in (ink, lined):
        page = 1 - 0.8 * page
        seen.append(read_image(_content(page.T if turned else page)).astype(float))
    assert np.abs(seen[0] - seen[1]).mean() < 20


def test_an_image_is_printed_as_the_network_sees_it(dataset):
    """A picture in the terminal that is mirrored, or stretched."""
    image = dataset.test_images[0]
    lines = as_text(image).split("\n")
    assert len(lines) == SIDE
    for line, row in zip(lines, image[..., 0], strict=True):
        assert len(line) <= 2 * SIDE
        characters = line.ljust(2 * SIDE)[::2]
        assert [c != " " for c in characters] == (row >= 26).tolist()


@pytest.mark.parametrize("color", ["white", "black", "gray", "navy"])
def test_one_color_is_refused(color, tmp_path):
    """Noise in an empty picture taken for a digit."""
    path = tmp_path / "flat.png"
    Image.new("RGB", (200, 100), color).save(path)
    with pytest.raises(
        ImageError, match=r"Cannot find a digit in .*flat\.png.*one color"
    ):
        read_image(path)


def _png():
    file = io.BytesIO()
    image = np.zeros((60, 40), np.uint8)
    image[10:50, 18:22] = 255
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _jpeg_of_noise():
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"PK\x03\x04 no image at all", "not an image"),
        (b"hello\n", "not an image"),
        (_png()[:-40], "corrupt"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC picture; convert it"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG.*PNG"),
        (_png()[:20], "corrupt"),
        (_jpeg_of_noise()[:-2000], "corrupt"),
    ],
    ids=[
        "missing",
        "empty",
        "zip",
        "text",
        "truncated PNG",
        "HEIC",
        "SVG",
        "stump",
        "truncated JPEG",
    ],
)
def test_what_is_no_image_is_refused_by_name(content, reason, tmp_path):
    """A traceback of Pillow's, or a message that does not say which file."""
    path = tmp_path / "picture.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"picture\.png.*{reason}"):
        read_image(path)


def test_a_folder_is_refused(tmp_path):
    """An IsADirectoryError that escapes."""
    with pytest.raises(ImageError, match="directory"):
        read_image(tmp_path)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
def test_corruption_anywhere_raises_only_image_errors(form, tmp_path):
    """An exception of Pillow's that is no OSError: SyntaxError, ValueError, DecompressionBomb."""
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.open(io.BytesIO(_png())).save(file, form)
    whole, path = file.getvalue(), tmp_path / "corrupt"
    path.write_bytes(bytes(4) + whole[4:])  # no signature
    with pytest.raises(ImageError):
        read_image(path)
    for _ in range(100):
        corrupt = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 120), 2):
            corrupt[place] = rng.integers(256)
        path.write_bytes(corrupt)
        with contextlib.suppress(ImageError):
            image = read_image(path)
            assert (image.shape, image.dtype) == ((28, 28, 1), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(("side", "readable"), [(10_000, True), (14_000, False)])
def test_a_huge_picture_is_read_or_refused_in_words(side, readable, tmp_path):
    """Pillow's guard against bombs: a warning above 89 million pixels, an error above 178."""
    page = Image.new("1", (side, side), 1)
    page.paste(0, (side * 2 // 5, side // 5, side // 2, side * 4 // 5))
    page.save(tmp_path / "huge.png")
    if readable:
        assert read_image(tmp_path / "huge.png").max() == 255
    else:
        with pytest.raises(ImageError, match="too large"):
            read_image(tmp_path / "huge.png")
