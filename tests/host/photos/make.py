#!/usr/bin/env python3
"""Makes the photo files of this folder and table.json: what each must become.

Pixels that a format stores without loss follow from the picture by the formulas below; of JPEG and lossy WebP they
are those of Pillow's own decoders, give or take `tolerance` levels. Needs tools/requirements-test.txt:

  .venv-tests/bin/python tests/host/photos/make.py
"""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 10, 6
LOSSY = 2  # levels between two versions of a decoder
table = []

y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([25 * x + 5, 40 * y + 10, 120 + 8 * (x - y)], axis=-1).astype(np.uint8)
GREY = (20 * x + 9 * y + 3).astype(np.uint8)
ALPHA = (255 - 28 * x).clip(0, 255).astype(np.uint8)
INDEX = ((x + y) % 4).astype(np.uint8)
PALETTE = np.array([[10, 20, 30], [200, 40, 60], [70, 210, 90], [250, 240, 5]], np.uint8)
BIT = ((x + y) % 2).astype(np.uint8)


def rounded(value):
    """To the nearest whole number, halves up."""
    return np.floor(np.asarray(value, np.float64) + 0.5).astype(np.uint8)


def grey(values):
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, axis=-1)


def over_white(colour, alpha, most=255):
    """c a + white (1 - a), of 0 .. most, in 8 bits."""
    colour, alpha = np.asarray(colour, np.float64) / most, np.asarray(alpha, np.float64)[..., None] / most
    return rounded(255 * (colour * alpha + 1 - alpha))


def inks(cyan_magenta_yellow_black, most=255):
    """What is left of white light by each ink and by black."""
    light = (most - np.asarray(cyan_magenta_yellow_black, np.float64)) / most
    return rounded(255 * light[..., :3] * light[..., 3:])


def add(name, data, expected=None, tolerance=0, refused=None, note=""):
    (FOLDER / name).write_bytes(data)
    entry = {"file": name, "note": note}
    if refused is not None:
        entry["refused"] = refused
    else:
        entry["tolerance"] = tolerance
        entry["pixels"] = [[bytes(pixel).hex() for pixel in row] for row in np.asarray(expected, np.uint8)]
    table.append(entry)


def saved(pixels, kind, mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(file, kind, **options)
    return file.getvalue()


def loaded(data, mode="RGB"):
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


def palette_image(**options):
    image = Image.fromarray(INDEX, "P")
    image.putpalette(PALETTE.tobytes())
    image.info.update(options)
    return image


def exif(orientation, order="<", kind=3):
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *([orientation, 0] if kind == 3 else [orientation]))
    return tiff + struct.pack(order + "HHI", 274, kind, 1) + value + bytes(4)


def with_app1(jpeg, block):
    body = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body + jpeg[2:]


def jpegs():
    def lossy(name, data, note="", expected=None):
        add(name, data, loaded(data) if expected is None else expected, LOSSY, note=note)

    full = saved(RGB, "JPEG", quality=95, subsampling=0)
    lossy("444.jpg", full)
    lossy("422.jpg", saved(RGB, "JPEG", quality=90, subsampling=1))
    lossy("420.jpg", saved(RGB, "JPEG", quality=90, subsampling=2))
    lossy("quality_100.jpg", saved(RGB, "JPEG", quality=100, subsampling=0))
    lossy("progressive.jpg", saved(RGB, "JPEG", quality=90, progressive=True))
    lossy("optimized.jpg", saved(RGB, "JPEG", quality=90, optimize=True))
    lossy("restarts.jpg", saved(RGB, "JPEG", quality=90, restart_marker_blocks=1))
    lossy("grey.jpg", saved(GREY, "JPEG", quality=95))
    lossy("rgb_stored.jpg", saved(RGB, "JPEG", quality=95, keep_rgb=True), "no YCbCr: Adobe's transform 0")
    lossy("named_png.png", full, "the name is not believed")
    lossy("trailer.jpg", full + b"a maker's own trailer", "bytes after the end")
    lossy("profile.jpg", saved(RGB, "JPEG", quality=95, icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()), "the colour profile is not applied")
    lossy("two_photos.jpg", saved(Image.fromarray(RGB), "MPO", quality=90, save_all=True,
                                  append_images=[Image.fromarray(255 - RGB)]), "the first of them")
    for orientation in range(1, 9):
        data = with_app1(full, exif(orientation))
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        lossy(f"orientation_{orientation}.jpg", data, expected=upright)
    big = with_app1(full, exif(6, ">"))
    lossy("orientation_6_big_endian.jpg", big, expected=np.rot90(loaded(full), -1))
    lossy("orientation_9.jpg", with_app1(full, exif(9)), "no such orientation: as stored")
    lossy("orientation_long.jpg", with_app1(full, exif(6, kind=4)), "of another type: read all the same",
          np.rot90(loaded(full), -1))

    stored = np.dstack([RGB, GREY])
    cmyk = saved(Image.fromarray(stored, "CMYK"), "JPEG", quality=100)
    read = np.asarray(Image.open(io.BytesIO(cmyk)), np.float64)  # amounts of ink
    assert np.abs(read - stored).max() < 8
    adobe = cmyk.index(b"\xff\xee\x00\x0eAdobe")
    lossy("cmyk_adobe.jpg", cmyk, "inks stored inverted", inks(read))
    lossy("cmyk_plain.jpg", cmyk[:adobe] + cmyk[adobe + 16:], "no mark of Adobe: stored as they are", inks(255 - read))
    luma, blue, red, black = np.moveaxis(255 - read, -1, 0)
    colours = np.stack([luma + 1.402 * (red - 128), luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
                        luma + 1.772 * (blue - 128)], axis=-1).round().clip(0, 255)
    ycck = cmyk[:adobe + 15] + b"\2" + cmyk[adobe + 16:]
    lossy("ycck.jpg", ycck, "Adobe's transform 2", inks(np.dstack([colours, 255 - black])))

    frame = full.index(b"\xff\xc0")
    add("12_bits.jpg", full[:frame + 4] + b"\x0c" + full[frame + 5:], refused="damaged JPEG: Unsupported JPEG data precision 12")
    add("lossless.jpg", full[:frame + 1] + b"\xc3" + full[frame + 2:], refused="damaged JPEG: Unsupported JPEG process")
    add("no_end.jpg", full[:-2], refused="damaged JPEG: Premature end of JPEG file")
    add("half.jpg", full[:(len(full) + frame) // 2], refused="damaged JPEG")
    add("rubbish_inside.jpg", full[:-12] + b"\xff\xd0" + full[-10:], refused="damaged JPEG")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(depth, colour, rows, *chunks, interlaced=0, width=WIDTH, height=HEIGHT):
    """rows: bytes of each, without filter."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def big16(values):
    return [row.astype(">u2").tobytes() for row in np.asarray(values)]


def packed(values, bits):
    """Rows of small numbers as bytes, from the top bit on."""
    rows = []
    for row in values:
        digits = "".join(f"{int(v):0{bits}b}" for v in row)
        digits += "0" * (-len(digits) % 8)
        rows.append(int(digits, 2).to_bytes(len(digits) // 8, "big"))
    return rows


def pngs():
    plte = chunk(b"PLTE", PALETTE.tobytes())
    plain = saved(RGB, "PNG")
    add("rgb.png", plain, RGB)
    add("named_jpg.jpg", plain, RGB, note="the name is not believed")
    add("rgba.png", saved(np.dstack([RGB, ALPHA]), "PNG"), over_white(RGB, ALPHA))
    add("grey.png", saved(GREY, "PNG"), grey(GREY))
    add("grey_alpha.png", saved(np.dstack([GREY, ALPHA]), "PNG"), over_white(grey(GREY), ALPHA))
    for bits in (1, 2, 4):
        small = (x + 2 * y) % 2**bits
        add(f"grey_{bits}_bits.png", png(bits, 0, packed(small, bits)), grey(small * (255 // (2**bits - 1))))
    add("palette.png", saved(palette_image(), "PNG"), PALETTE[INDEX])
    add("palette_2_bits.png", png(2, 3, packed(INDEX, 2), plte), PALETTE[INDEX])
    opacity = np.array([255, 128, 0, 255], np.uint8)
    add("palette_alpha.png", png(8, 3, INDEX, plte, chunk(b"tRNS", opacity.tobytes())),
        over_white(PALETTE[INDEX], opacity[INDEX]))
    deep = RGB.astype(np.int64) * 257 + 100 * (x - y)[..., None] % 128
    add("rgb_16_bits.png", png(16, 2, big16(deep)), rounded(deep / 257))
    add("grey_16_bits.png", png(16, 0, big16(deep[..., 0])), rounded(grey(0) + deep[..., :1] / 257))
    deep_alpha = ALPHA.astype(np.int64) * 257 - 3
    deep_alpha = deep_alpha.clip(0)
    add("rgba_16_bits.png", png(16, 6, big16(np.dstack([deep, deep_alpha]))), over_white(deep, deep_alpha, 65535))
    add("transparent_colour.png", png(8, 2, RGB.reshape(HEIGHT, -1), chunk(b"tRNS", struct.pack(">HHH", *RGB[2, 3]))),
        np.where((RGB == RGB[2, 3]).all(axis=-1, keepdims=True), 255, RGB))
    add("transparent_grey.png", png(8, 0, GREY, chunk(b"tRNS", struct.pack(">H", GREY[1, 1]))),
        np.where(grey(GREY) == GREY[1, 1], 255, grey(GREY)))
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [row.tobytes() for top, left, down, right in passes for row in RGB[top::down, left::right] if row.size]
    add("interlaced.png", png(8, 2, rows, interlaced=1), RGB)
    add("orientation_6.png", png(8, 2, RGB.reshape(HEIGHT, -1), chunk(b"eXIf", exif(6))), np.rot90(RGB, -1))
    add("animated.png", saved(RGB, "PNG", save_all=True, append_images=[Image.fromarray(255 - RGB)]), RGB,
        note="the first picture")
    add("half.png", plain[:len(plain) // 2], refused="damaged: the file ends too early")
    add("flipped.png", plain[:60] + bytes([plain[60] ^ 1]) + plain[61:], refused="damaged PNG: wrong checksum")


def webps():
    lossy = saved(RGB, "WEBP", quality=90)
    add("lossy.webp", lossy, loaded(lossy), LOSSY)
    add("lossless.webp", saved(RGB, "WEBP", lossless=True), RGB)
    rgba = np.dstack([RGB, ALPHA])
    add("lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True), over_white(RGB, ALPHA))
    data = saved(rgba, "WEBP", quality=90)
    read = loaded(data, "RGBA")
    add("lossy_alpha.webp", data, over_white(read[..., :3], read[..., 3]), LOSSY)
    add("orientation_6.webp", saved(RGB, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(6)), np.rot90(RGB, -1))
    add("animated.webp", saved(RGB, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(255 - RGB)]),
        refused="animated WebP")
    add("half.webp", lossy[:len(lossy) // 2], refused="damaged: the file ends too early")


def bmp(width, height, bits, compression, pixels, extra=b""):
    start = 54 + len(extra)
    return (b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0) + extra + pixels)


def bmps():
    add("24_bits.bmp", saved(RGB, "BMP"), RGB)
    add("8_bits.bmp", saved(palette_image(), "BMP"), PALETTE[INDEX])
    add("1_bit.bmp", saved(Image.fromarray(BIT * 255).convert("1"), "BMP"), grey(BIT * 255))
    bgrx = np.dstack([RGB[..., ::-1], 0 * GREY])
    add("32_bits.bmp", bmp(WIDTH, HEIGHT, 32, 0, bgrx[::-1].tobytes()), RGB, note="the fourth byte is no alpha")
    add("top_down.bmp", bmp(WIDTH, -HEIGHT, 32, 0, bgrx.tobytes()), RGB)
    add("run_lengths.bmp", bmp(2, 1, 8, 1, b"\2\0\0\1", bytes(4 * 256)), refused="compressed BMP")
    add("half.bmp", saved(RGB, "BMP")[:100], refused="damaged: the file ends too early")


def gifs():
    add("plain.gif", saved(palette_image(), "GIF", interlace=0), PALETTE[INDEX])
    add("interlaced.gif", saved(palette_image(), "GIF", interlace=1), PALETTE[INDEX])
    clear = saved(palette_image(), "GIF", transparency=2)
    white = np.vstack([PALETTE[:2], [[255] * 3], PALETTE[3:]])
    add("transparent.gif", clear, white[INDEX])
    second = palette_image()
    second.paste(0, (0, 0, WIDTH, HEIGHT))
    animated = saved(palette_image(), "GIF", save_all=True, append_images=[second], interlace=0)
    add("animated.gif", animated, PALETTE[INDEX], note="the first picture")
    # A frame that covers a part of its screen: the descriptor's place moved, the screen made larger.
    part = bytearray(saved(palette_image(), "GIF", interlace=0))
    part[6:10] = struct.pack("<HH", WIDTH + 3, HEIGHT + 2)
    place = part.index(b"\x2c" + struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT)) + 1
    part[place:place + 4] = struct.pack("<HH", 2, 1)
    screen = np.full((HEIGHT + 2, WIDTH + 3, 3), 255, np.uint8)
    screen[1:1 + HEIGHT, 2:2 + WIDTH] = PALETTE[INDEX]
    add("part_of_the_screen.gif", bytes(part), screen)
    add("no_end.gif", animated[:-1], refused="damaged: the file ends too early")
    add("half.gif", animated[:len(animated) // 2], refused="damaged: the file ends too early")


def tiff(tags, parts, order="<"):
    """tags: {tag: (type, values)}; parts: strips or tiles, whose offsets and lengths are filled in."""
    tiles = 322 in tags
    data, offsets = b"", []
    for part in parts:
        offsets.append(8 + len(data))
        data += part + bytes(len(part) % 2)
    tags = dict(tags) | {324 if tiles else 273: (4, offsets), 325 if tiles else 279: (4, [len(p) for p in parts])}
    start = 8 + len(data)
    spill_at, spill, entries = start + 2 + 12 * len(tags) + 4, b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        raw = struct.pack(order + str(len(values)) + {3: "H", 4: "I"}[kind], *values)
        entries += struct.pack(order + "HHI", tag, kind, len(values))
        if len(raw) <= 4:
            entries += raw.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", spill_at + len(spill))
            spill += raw + bytes(len(raw) % 2)
    return ((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start) + data
            + struct.pack(order + "H", len(tags)) + entries + bytes(4) + spill)


def tags(samples, bits, colours, **more):
    base = {256: (3, [WIDTH]), 257: (3, [HEIGHT]), 258: (3, [bits] * samples), 259: (3, [1]), 262: (3, [colours]),
            277: (3, [samples])}
    return base | {int(tag[1:]): (3, values) for tag, values in more.items()}


def tiffs():
    for name, compression in (("raw", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"),
                              ("packbits", "packbits")):
        add(f"{name}.tiff", saved(RGB, "TIFF", compression=compression), RGB)
    add("predictor.tiff", saved(RGB, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}), RGB)
    jpeg = saved(RGB, "TIFF", compression="jpeg", quality=95)
    add("jpeg.tiff", jpeg, loaded(jpeg), LOSSY)
    add("grey.tiff", saved(GREY, "TIFF"), grey(GREY))
    add("palette.tiff", saved(palette_image(), "TIFF"), PALETTE[INDEX])
    add("1_bit.tiff", saved(Image.fromarray(BIT * 255).convert("1"), "TIFF"), grey(BIT * 255))
    small = (x + 2 * y) % 16
    add("4_bits_white_is_zero.tiff", tiff(tags(1, 4, 0), [b"".join(packed(small, 4))]), grey(255 - small * 17))
    add("rgba.tiff", saved(np.dstack([RGB, ALPHA]), "TIFF"), over_white(RGB, ALPHA))
    add("grey_alpha.tiff", tiff(tags(2, 8, 1, t338=[2]), [np.dstack([GREY, ALPHA]).tobytes()]),
        over_white(grey(GREY), ALPHA))
    add("no_alpha.tiff", tiff(tags(4, 8, 2, t338=[0]), [np.dstack([RGB, ALPHA]).tobytes()]), RGB,
        note="the fourth sample is told to be nothing")
    premultiplied = rounded(RGB * (ALPHA[..., None] / 255))
    add("premultiplied.tiff", tiff(tags(4, 8, 2, t338=[1]), [np.dstack([premultiplied, ALPHA]).tobytes()]),
        rounded(premultiplied + 255.0 - ALPHA[..., None]))
    add("cmyk.tiff", saved(Image.fromarray(np.dstack([RGB, GREY]), "CMYK"), "TIFF"), inks(np.dstack([RGB, GREY])))
    deep = RGB.astype(np.int64) * 257 + 100 * (x - y)[..., None] % 128
    add("rgb_16_bits.tiff", tiff(tags(3, 16, 2), [deep.astype("<u2").tobytes()]), rounded(deep / 257))
    add("rgb_16_bits_big_endian.tiff", tiff(tags(3, 16, 2), [deep.astype(">u2").tobytes()], ">"), rounded(deep / 257))
    add("planes.tiff", tiff(tags(3, 8, 2, t284=[2]), [RGB[..., c].tobytes() for c in range(3)]), RGB)
    tiled = np.zeros((16, 16, 3), np.uint8)
    tiled[:HEIGHT, :WIDTH] = RGB
    add("tile.tiff", tiff(tags(3, 8, 2, t322=[16], t323=[16]), [tiled.tobytes()]), RGB)
    add("strips.tiff", tiff(tags(3, 8, 2, t278=[4]), [RGB[:4].tobytes(), RGB[4:].tobytes()]), RGB)
    add("orientation_6.tiff", tiff(tags(3, 8, 2, t274=[6]), [RGB.tobytes()]), np.rot90(RGB, -1))
    for name, compression in (("lzw", 5), ("deflate", 8), ("packbits", 32773)):
        whole = saved(RGB, "TIFF", compression={5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits"}[compression])
        entries = Image.open(io.BytesIO(whole)).tag_v2
        start, length = entries[273][0], entries[279][0]
        hurt = bytearray(whole)
        hurt[start + length // 2:start + length] = b"\x7f" * (length - length // 2)
        add(f"damaged_{name}.tiff", bytes(hurt), refused="damaged TIFF: ")
    add("fax.tiff", saved(Image.fromarray(BIT * 255).convert("1"), "TIFF", compression="group4"),
        refused="TIFF of a kind that is not read")
    add("half.tiff", saved(RGB, "TIFF")[:100], refused="damaged")


def others():
    kinds = "not a JPEG, PNG, WebP, BMP, TIFF or GIF photo"
    add("empty.jpg", b"", refused="empty")
    add("page.jpg", b"<!DOCTYPE html><title>404</title>", refused=kinds)
    add("document.jpg", b"%PDF-1.7\n", refused=kinds)
    add("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", refused=kinds)
    add("apple.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", refused="HEIC")
    add("avif.jpg", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", refused="AVIF")


def main():
    for old in FOLDER.iterdir():
        if old.name not in (Path(__file__).name, "__pycache__"):
            old.unlink()
    for make in (jpegs, pngs, webps, bmps, gifs, tiffs, others):
        make()
    assert len({entry["file"] for entry in table}) == len(table)
    lines = ",\n".join(json.dumps(entry) for entry in table)
    (FOLDER / "table.json").write_text(f"[\n{lines}\n]\n")
    print(len(table), "files,", sum(f.stat().st_size for f in FOLDER.iterdir() if f.is_file()), "bytes")


if __name__ == "__main__":
    main()
