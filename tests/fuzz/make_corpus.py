#!/usr/bin/env python3
"""Makes the seeds in corpus/: small inputs that are right, and the ways in which they go wrong.

    tests/fuzz/make_corpus.py

Inputs that a fuzzer found are added beside them by hand, named after what they broke. The pictures
of tests/golden/pictures are seeds too."""

import gzip
import json
import pathlib
import struct
import tarfile

from formats import (CIFAR10, CIFAR100, IDX, IDX_GZIP, TENSORS, TAR, PNG_MAGIC, chunk, dataset_file,
                     entry, idx, packed_file, png, tar_changed, tar_file, tensors_file)

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
PICTURES = CORPUS.parent.parent / "golden" / "pictures"


def tensors_seeds():
    right = {
        "__metadata__": {"format": "pt"},
        "a": entry("F32", [2, 1], 0, 8),
        "b": entry("BF16", [3], 8, 14),
        "c": entry("I64", [], 14, 22),
    }
    data = bytes(range(22))
    yield "right", tensors_file(right, data)
    yield "empty", tensors_file({}, b"")
    yield "no_file", b""
    yield "short", struct.pack("<Q", 100) + b"{}"
    yield "huge_header", tensors_file(right, data, 2**63)
    yield "overlap", tensors_file(
        {"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}, data[:6]
    )
    yield "hole", tensors_file({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 4, 6)}, data[:6])
    yield "out_of_range", tensors_file({"a": entry("U8", [40], 0, 40)}, data)
    yield "overflow", tensors_file({"a": entry("F32", [2**32, 2**32, 2**32], 0, 0)}, b"")
    yield "elements_overflow", tensors_file({"a": entry("U8", [2**62, 2, 0], 0, 0)}, b"")
    yield "negative", tensors_file({"a": entry("F32", [-1], 0, -4)}, b"")
    yield "zero", tensors_file({"a": entry("F32", [0, 2**62], 0, 0)}, b"")
    twice = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8"}}'
    yield "twice", tensors_file(twice, b"1")
    yield "types", tensors_file({"a": {"dtype": 4, "shape": "x", "data_offsets": [[], {}]}}, b"")
    nothing = {"a": entry("F32", [0, 2], 0, 0), "b": entry("F64", [0], 0, 0),
               "c": entry("F64", [], 0, 8), "d": entry("F16", [3], 8, 14)}
    halves = struct.pack("<d3H", -1.5, 0x8001, 0x7E00, 0x3C00)
    yield "nothing", tensors_file(nothing, halves)
    yield "shape", tensors_file({"a": {"dtype": "U8", "shape": {}}}, b"")
    yield "rank", tensors_file({"a": entry("U8", [1] * 9, 0, 1)}, b"1")
    yield "one_offset", tensors_file({"a": {"dtype": "U8", "shape": [], "data_offsets": [0]}}, b"1")
    yield "size", tensors_file({"a": entry("U8", [3], 0, 2)}, b"12")
    yield "behind", tensors_file({"a": entry("U8", [1], 0, 1)}, b"12")
    yield "far", tensors_file({"a": entry("U8", [2**50], 0, 2**50)}, b"")
    yield "no_object", tensors_file({"a": []}, b"")
    yield "metadata_list", tensors_file({"__metadata__": []}, b"")
    yield "metadata_number", tensors_file({"__metadata__": {"a": 1}}, b"")
    yield "metadata_text", tensors_file({"__metadata__": {"": "\"\n\u0001", "\u20ac": ""}}, b"")
    yield "space", tensors_file(b" {}", b"")
    yield "checkpoint", b"PK\3\4" + bytes(26)


def json_seeds():
    yield "values", b'{"a": [1, -2.5e3, true, false, null, "x\\u00e9\\n\\ud83d\\ude00"], "b": {}}'
    yield "deep", b"[" * 40 + b"]" * 40
    yield "surrogate", b'"\\ud83d"'
    yield "zero_byte", b'"\\u0000"'
    yield "twice", b'{"a": 1, "a": 2}'
    yield "open", b'{"a": [1, '
    yield "numbers", b"[0, -0, 01, 1., .5, 1e999, 9223372036854775807, 9223372036854775808, +1]"
    yield "utf8", b'"\xc3\xa9 \xed\xa0\x80 \xff"'
    yield "behind", b"{} {}"
    yield "escapes", b'["\\"\\\\\\/\\b\\f\\n\\r\\t", "\\u000A\\u20ac"]'
    yield "wide", '["\u00e9\u20ac\U0001f600"]'.encode()
    keys = [b'"k%d": 0' % i for i in range(12)]
    yield "many_keys", b"{" + b",".join(keys) + b"}"
    yield "many_keys_twice", b"{" + b",".join(keys + keys[4:5]) + b"}"
    for name, text in [
        ("word", b"nul"),
        ("fraction", b"1."),
        ("exponent", b"1e+"),
        ("exponents", b"[1E+2, 1e-2, 1e2]"),
        ("long_number", b"1" * 200),
        ("range", b"1e999"),
        ("hex", b'"\\u12x4"'),
        ("low_surrogate", b'"\\udc00"'),
        ("two_high_surrogates", b'"\\ud83d\\ud83d"'),
        ("escape", b'"\\x"'),
        ("key", b"{1: 2}"),
        ("colon", b'{"a" 2}'),
        ("no_quote", b'["a\\"'),
        ("control", b'"\n"'),
    ]:
        yield name, text


def fields_seeds():
    yield "ce", b"student=resnet8\ndataset=x\nmilestones=1,2,3\nflip=0"
    yield "wttm", b"method=wttm\nteacher=t\nstudent=s\ndataset=d\ngamma=0.25\nbeta=2\nepochs=3"
    yield "both", b"method=kd\nteacher=t\nstudent=s\ndataset=d\ngamma=0.25\ntemperature=4"
    yield "twice", b"epochs=1\nepochs=2"
    yield "missing", b"student=s"
    yield "unknown", b"epoch=1\n=\nx\n\nlearning_rate=1e400"
    yield "ranges", b"batch_size=-1\nmilestones=3,2\nlabel_smoothing=1\nseed=99999999999999999999"
    yield "long", b"student=" + b"x" * 600
    yield "predict", b"method=predict\nmodel=m\ndataset=d\nsplit=train\ntags=a,b\nname=\xc3\xa9"
    yield "adamw", b"student=s\ndataset=d\noptimizer=adamw\nbeta2=0.99\nschedule=cosine\nout=o"
    yield "minus_zero", b"beta=-0"
    wrong = ["epochs=ten", "beta=x", "flip=maybe", "milestones=1,x", "milestones=1,0", "tags=a,,b",
             "milestones=" + "1" * 200, "method=ca", "name=a\x01b", "epochs=1.5", "beta=-1",
             "milestones=" + ",".join(map(str, range(1, 18))), "tags=" + ",".join("t" * 17)]
    for i, line in enumerate(wrong):
        yield f"wrong_{i}", line.encode()
    values = ["epochs=5.0", "epochs=5.5", "epochs=1e300", "epochs=true", "epochs={}",
              "epochs=null", "epochs=[]", 'epochs="5"', "flip=1", "flip=false", "beta=3",
              "beta=1e300", "beta=null", "beta=[1]", "teacher=null", "teacher=5",
              'teacher="\\u0001"', 'teacher="t"', 'method="kd"', 'method="k"', "method=1",
              "milestones=[1,2]", "milestones=[0]", 'milestones=["a"]', "milestones=[]",
              'tags=["a","b"]', "tags=[1]", 'tags=[""]',
              "milestones=" + json.dumps([1] * 17), "tags=" + json.dumps(["a"] * 17)]
    yield "values", "\n".join(values).encode()


def dataset_seeds():
    yield "cifar10", dataset_file(CIFAR10, b"\3" + bytes(3072))
    yield "cifar10_label", dataset_file(CIFAR10, b"\12" + bytes(3072))
    yield "cifar10_cut", dataset_file(CIFAR10, b"\3" + bytes(1000))
    yield "cifar100", dataset_file(CIFAR100, b"\3\7" + bytes(3072))
    images, labels = idx(8, [2, 3, 2], bytes(range(12))), idx(8, [2], b"\0\1")
    yield "idx", dataset_file(IDX, images, labels)
    yield "idx_huge", dataset_file(IDX, idx(8, [2**31, 2**31, 2**31], b""), labels)
    yield "idx_rank", dataset_file(IDX, idx(8, [2] * 9, b""), labels)
    yield "idx_count", dataset_file(IDX, images, idx(8, [3], b"\0\1\2"))
    packed = [gzip.compress(data, mtime=0) for data in (images, labels)]
    yield "idx_gzip", dataset_file(IDX_GZIP, *packed)
    yield "idx_gzip_cut", dataset_file(IDX_GZIP, packed[0][:-9], packed[1])
    yield "idx_short", dataset_file(IDX, images[:9], labels)
    yield "idx_fewer", dataset_file(IDX, images[:-1], labels)
    yield "idx_more", dataset_file(IDX, images + b"x", labels)
    for name, data in (("fewer", images[:-1]), ("more", images + b"x"),
                       ("huge", idx(8, [2**20, 2**10, 2**10], b""))):
        yield "idx_gzip_" + name, dataset_file(IDX_GZIP, gzip.compress(data, mtime=0), packed[1])
    header = {"images": entry("U8", [2, 2, 2, 1], 0, 8), "labels": entry("I64", [2], 8, 24)}
    data = bytes(range(8)) + struct.pack("<qq", 0, 1)
    yield "tensors", dataset_file(TENSORS, tensors_file(header, data), b"cat\ndog\n")
    wrong = bytes(range(8)) + struct.pack("<qq", -1, 2**40)
    yield "tensors_labels", dataset_file(TENSORS, tensors_file(header, wrong))
    for name, key, value in [
        ("i32", "labels", entry("I32", [4], 8, 24)),
        ("label_type", "labels", entry("F64", [2], 8, 24)),
        ("label_rank", "labels", entry("I64", [2, 1], 8, 24)),
        ("type", "images", entry("I8", [2, 2, 2, 1], 0, 8)),
        ("rank", "images", entry("U8", [2, 4], 0, 8)),
        ("channels", "images", entry("U8", [1, 1, 1, 8], 0, 8)),
        ("name", "picture", entry("U8", [0], 0, 0)),
    ]:
        seed = dict(header, **{key: value})
        if name == "name":
            del seed["images"]
            seed["labels"] = entry("I64", [3], 0, 24)
        yield "tensors_" + name, dataset_file(TENSORS, tensors_file(seed, data))
    header["images"] = entry("U8", [2, 2**31, 2**31, 0], 0, 0)
    yield "tensors_empty", dataset_file(TENSORS, tensors_file(header, data))

    size = len(png())
    yield "packed", dataset_file(TENSORS, packed_file([size, 2 * size]), b"cat\ndog\n")
    yield "packed_ends", dataset_file(TENSORS, packed_file([size, size - 1, 2**62]))
    files = [(name, tarfile.REGTYPE, png()) for name in ("train/cat/1.png", "train/dog/2.png")]
    yield "tar", dataset_file(TAR, tar_file(tarfile.USTAR_FORMAT, files), b"Cat\nDog\n")
    yield "tar_class", dataset_file(TAR, tar_file(tarfile.USTAR_FORMAT, files[:1]))
    broken = [("cat/1.png", tarfile.REGTYPE, png()[:-9]), ("dog/2.jpg", tarfile.REGTYPE, png())]
    yield "tar_broken", dataset_file(TAR, tar_file(tarfile.USTAR_FORMAT, broken))


def incoming_seeds():
    def seed(kind, data, piece=6):
        return bytes([kind, piece]) + data
    (cifar100, cifar10, text, images, archive, labels_gzip, tensors, labels, whole,
     images_gzip) = range(10)
    right = idx(8, [2, 3, 2], bytes(range(12)))
    yield "cifar100", seed(cifar100, (b"\3\7" + bytes(3072)) * 2, 200)
    yield "cifar100_label", seed(cifar100, (b"\3\7" + bytes(3072)) + b"\3\xc8" + bytes(3072), 255)
    yield "cifar10", seed(cifar10, b"\3" + bytes(3072))
    yield "cifar10_cut", seed(cifar10, b"\3" + bytes(1000))
    yield "text", seed(text, b"cat\ndog\n")
    yield "text_zero", seed(text, b"cat\0dog\n")
    yield "idx", seed(images, right)
    yield "idx_more", seed(images, right + b"x")
    yield "idx_fewer", seed(images, right[:-1])
    yield "idx_huge", seed(images, idx(8, [2**31 - 1, 16384, 16384], b"x"))
    yield "idx_labels", seed(labels, idx(8, [2], b"\0\1"))
    yield "idx_gzip", seed(images_gzip, gzip.compress(right, mtime=0))
    yield "idx_gzip_cut", seed(images_gzip, gzip.compress(right, mtime=0)[:-9])
    yield "idx_gzip_more", seed(labels_gzip, gzip.compress(idx(8, [2], b"\0\1"), mtime=0) + b"x")
    header = {"images": entry("U8", [2, 2, 2, 1], 0, 8), "labels": entry("I64", [2], 8, 24)}
    pixels = bytes(range(8))
    yield "tensors", seed(tensors, tensors_file(header, pixels + struct.pack("<qq", 0, 1)))
    yield "tensors_label", seed(tensors, tensors_file(header, pixels + struct.pack("<qq", 0, 2**40)))
    yield "tensors_first", seed(tensors, tensors_file(
        {"labels": entry("I32", [2], 0, 8), "images": entry("U8", [2, 2, 2, 1], 8, 16)},
        struct.pack("<ii", 0, 1) + pixels))
    yield "tensors_overflow", seed(tensors, tensors_file({"a": entry("U8", [2**62], 0, 2**62)}, b""))
    yield "tensors_no_header", seed(tensors, bytes(8))
    yield "packed", seed(tensors, packed_file([len(png()), 2 * len(png())]))
    files = [("a", tarfile.DIRTYPE, b""), ("./a//" + "n" * 120, tarfile.REGTYPE, b"picture")]
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield f"tar_{form}", seed(archive, tar_file(form, files), 255)
    yield "tar_cut", seed(archive, tar_file(tarfile.PAX_FORMAT, files)[:2000], 255)
    yield "tar_climbs", seed(archive, tar_file(tarfile.USTAR_FORMAT, [("a/../../b", tarfile.REGTYPE, b"")]))
    yield "tar_link", seed(archive, tar_file(tarfile.USTAR_FORMAT, [("a/b", tarfile.SYMTYPE, b"")]))
    one = tar_file(tarfile.USTAR_FORMAT, [("a", tarfile.REGTYPE, b"x")])[:2048]
    yield "tar_huge", seed(archive, tar_changed(one, 124, b"\x80" + bytes(3) + b"\xff" * 8), 255)
    yield "tar_empty_name", seed(archive, tar_changed(one, 156, b"L")[:512], 255)
    extra = tar_file(tarfile.USTAR_FORMAT, [("x", b"L", b"")])[:1536]
    yield "tar_no_name", seed(archive, extra, 255)
    extra = tar_file(tarfile.USTAR_FORMAT, [("x", b"L", b"n" * 900)])[:2560]
    yield "tar_long_name", seed(archive, extra, 99)
    yield "tar_gzip", seed(whole, gzip.compress(tar_file(tarfile.GNU_FORMAT, files), mtime=0), 100)
    yield "bomb", seed(whole, gzip.compress(bytes(1 << 20), mtime=0), 100)


def png_seeds():
    wide = [bytes([0] + [40 * y + x for x in range(8)]) for y in range(2)]
    yield "grey_2_bits", png(4, 2, 2, 0, rows=b"\0\x1b\0\xe4")
    yield "grey_key", png(8, 2, rows=b"".join(wide), before=chunk(b"tRNS", b"\0\3"))
    yield "grey_alpha_16", png(1, 2, 16, 4, rows=b"".join(b"\0" + row[:4] for row in wide))
    yield "rgba_16", png(1, 2, 16, 6, rows=b"".join(b"\0" + row[1:] for row in wide))
    yield "rgb_key", png(1, 1, 8, 2, rows=b"\0\1\2\3", before=chunk(b"tRNS", b"\0\1\0\2\0\3"))
    palette = chunk(b"PLTE", bytes(range(12)))
    yield "palette_2_bits", png(4, 1, 2, 3, rows=b"\0\x1b", before=palette)
    alpha = chunk(b"tRNS", b"\0\x80")
    yield "palette_alpha", png(4, 1, 2, 3, rows=b"\0\x1b", before=palette + alpha)
    yield "no_palette", png(4, 1, 2, 3, rows=b"\0\x1b")
    passes = b"\0\1" + b"\0\2" + b"\0\3\4"  # of Adam7, those that 2 x 2 pixels have
    yield "interlaced_rgba", png(2, 2, 8, 6, 1, rows=b"\0abcd\0efgh\0ijklmnop")
    yield "interlaced_grey", png(2, 2, 8, 0, 1, rows=passes)
    for order, mark in (("<", b"II"), (">", b"MM")):
        tiff = mark + struct.pack(order + "HIHHHIHH", 42, 8, 1, 0x112, 3, 1, 5, 0)
        exif = chunk(b"eXIf", tiff)
        yield "exif_" + mark.decode(), png(2, 1, rows=b"\0\1\2", before=exif)
    yield "few_rows", png(1, 9)
    yield "cut", png()[:-20]
    yield "checksum", png()[:-1] + b"x"
    yield "huge_png", png(2**15, 2**15)
    yield "no_pixels", PNG_MAGIC + chunk(b"IHDR", struct.pack(">II5B", 9, 9, 8, 0, 0, 0, 0))
    yield "empty_png", png(0, 0, rows=b"")
    yield "only_png", PNG_MAGIC


def jpeg_seeds():
    whole = (PICTURES / "grey.jpg").read_bytes()
    frame, scan, end = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda"), b"\xff\xd9"

    def sized(height, width):
        return whole[:frame + 5] + struct.pack(">HH", height, width) + whole[frame + 9:]
    yield "jpeg_cut", whole[:scan + 40] + end
    yield "jpeg_no_end", whole[:-2]
    yield "jpeg_no_frame", whole[:frame] + whole[scan:]
    yield "jpeg_extraneous", whole[:-2] + bytes(5) + end
    yield "jpeg_huge", sized(65500, 65500)
    yield "jpeg_flat", sized(0, 20)
    yield "jpeg_12_bits", whole[:frame + 4] + b"\14" + whole[frame + 5:]
    yield "only_jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
    yield "no_segments", b"\xff\xd8" + b"\xff\xda\x00\x02" * 90 + end


def picture_seeds():
    yield "text", b"GIF89a, but it is not"
    yield from png_seeds()
    yield from jpeg_seeds()


def inference_seeds():
    def seed(shape, datatype="UINT8", data=None, behind=b"", said=None, length=None, **more):
        tensor = {"name": "images", "datatype": datatype, "shape": shape}
        tensor.update({"data": data} if data is not None
                      else {"parameters": {"binary_data_size": said or len(behind)}})
        text = json.dumps({"inputs": [tensor], **more}).encode()
        return struct.pack("<H", len(text) if length is None else length) + text + behind
    files = struct.pack("<I", 1) + b"a" + struct.pack("<I", 2) + b"bc"
    yield "flat", seed([1, 1, 2, 3], data=[0, 1, 2, 3, 4, 255])
    yield "nested", seed([1, 1, 2, 3], data=[[[[0, 1, 2], [3, 4, 255]]]])
    yield "binary", seed([1, 1, 2, 3], behind=bytes(6))
    yield "files", seed([2], "BYTES", behind=files)
    yield "base64", seed([2], "BYTES", data=["YQ==", "YmM="])
    yield "outputs", seed([1, 1, 1, 1], data=[1], id="x", parameters={"binary_data_output": True},
                          outputs=[{"name": "logits", "parameters": {"classification": 2}},
                                   {"name": "probabilities", "parameters": {"binary_data": False}}])
    yield "size_lies", seed([1, 1, 2, 3], behind=bytes(6), said=7)
    yield "length_lies", seed([1, 1, 2, 3], behind=bytes(6), length=65535)
    yield "file_beyond", seed([1], "BYTES", behind=b"\xff\xff\xff\xffa")
    yield "shape_overflows", seed([1024] + 3 * [2 ** 31 - 1], behind=bytes(6))
    yield "empty", b"\0\0"
    one = [1, 1, 1, 1]
    tensor = {"name": "images", "datatype": "UINT8", "shape": one, "data": [1]}

    def wrong(**members):
        text = json.dumps({"inputs": [dict(tensor, **members)]}).encode()
        return struct.pack("<H", len(text)) + text

    def request(**members):
        text = json.dumps({"inputs": [tensor], **members}).encode()
        return struct.pack("<H", len(text)) + text
    yield "list", b"\2\0[]"
    yield "no_json", b"\1\0{"
    for name, data in [
        ("unknown_member", request(extra=1)),
        ("id_type", request(id=5)),
        ("no_inputs", request(inputs=[])),
        ("inputs_type", request(inputs={})),
        ("input_type", request(inputs=[5])),
        ("parameters_type", request(parameters=[])),
        ("flag_type", request(parameters={"binary_data_output": 1})),
        ("output_type", request(outputs=[5])),
        ("output_unknown", request(outputs=[{"name": "x"}])),
        ("output_twice", request(outputs=[{"name": "logits"}] * 2)),
        ("classification", request(outputs=[{"name": "logits",
                                             "parameters": {"classification": 0}}])),
        ("name", wrong(name="x")),
        ("datatype", wrong(datatype="FP32")),
        ("shape_type", wrong(shape="x")),
        ("shape_rank", wrong(shape=[1])),
        ("shape_zero", wrong(shape=[1, 0, 1, 1])),
        ("shape_many", wrong(shape=[2**30, 1, 1, 1])),
        ("shape_elements", wrong(shape=[1, 2**11, 2**11, 1])),
        ("pixel", wrong(data=[256])),
        ("pixels_many", wrong(data=[[1, 2], 3])),
        ("base64_broken", wrong(datatype="BYTES", shape=[1], data=["YQ="])),
        ("data_type", wrong(data={})),
        ("data_twice", wrong(parameters={"binary_data_size": 1})),
        ("size_zero", wrong(parameters={"binary_data_size": 0})),
        ("behind", wrong() + b"x"),
    ]:
        yield name, data
    yield "bytes_behind", seed([2], "BYTES", behind=files + b"x")
    yield "few_pixels", seed([1, 1, 2, 3], behind=bytes(5))


def multipart_seeds():
    yield "two", b"--b\r\nA: b\r\n\r\none\r\n--b \t\r\n\r\ntwo\r\n--b--\r\n"
    yield "before_and_behind", b"x\r\n--b\r\n\r\none\r\n--b--x"
    yield "none", b"--b--"
    yield "no_end", b"--b\r\nA: b\r\n\r\none"
    yield "no_headers_end", b"--b\r\nA: b\r\n--b--"
    types = {"quoted": b'boundary="a b"', "bare": b"charset=x; Boundary=a:b \t",
             "none": b"boundry=b", "empty": b'boundary=""', "open": b'boundary="b',
             "forbidden": b"boundary=b%",
             "space": b'boundary="b "', "long": b"boundary=" + b"b" * 71}
    for name, text in types.items():
        boundary = text.partition(b"oundary=")[2].strip(b'" \t')
        lines = b"--" + boundary + b"\r\n\r\none\r\n--" + boundary + b"--"
        yield "type_" + name, b"multipart/form-data; " + text + b"\n" + lines
    yield "headers", b"--b\r\nX: y\r\nCONTENT-type: a/b;c\r\n\r\none\r\n--b--"
    yield "in_a_line", b"one--b\r\n\r\none\r\n--b--"
    yield "longer_boundary", b"--b\r\n\r\none\r\n--bb--"


def tar_seeds():
    files = [("a", tarfile.DIRTYPE, b""), ("./a//" + "n" * 120, tarfile.REGTYPE, b"picture")]
    yield "ustar", tar_file(tarfile.USTAR_FORMAT, [("b/c", tarfile.REGTYPE, bytes(513))])
    yield "gnu", tar_file(tarfile.GNU_FORMAT, files)
    yield "pax", tar_file(tarfile.PAX_FORMAT, files)
    yield "cut", tar_file(tarfile.PAX_FORMAT, files)[:2000]
    yield "no_end", tar_file(tarfile.USTAR_FORMAT, files[:1])[:512]
    for name, path, kind in [
        ("climbs", "a/../../b", tarfile.REGTYPE),
        ("absolute", "/etc/passwd", tarfile.REGTYPE),
        ("symlink", "a/b", tarfile.SYMTYPE),
        ("hard_link", "a/b", tarfile.LNKTYPE),
        ("fifo", "a/b", tarfile.FIFOTYPE),
    ]:
        yield name, tar_file(tarfile.USTAR_FORMAT, [(path, kind, b"")])
    one = tar_file(tarfile.USTAR_FORMAT, [("a", tarfile.REGTYPE, b"x")])[:2048]
    yield "huge", tar_changed(one, 124, b"\x80" + b"\xff" * 11)
    yield "binary_size", tar_changed(one, 124, b"\x80" + bytes(10) + b"\1")
    yield "negative_size", tar_changed(one, 124, b"\xff" * 12)
    yield "spaces_size", tar_changed(one, 124, b"          1 ")
    yield "no_size", tar_changed(one, 124, b"x")
    yield "slash", tar_changed(one, 0, b"a/")
    yield "old", tar_changed(one, 156, bytes(1 + 100 + 8))
    yield "volume", tar_changed(one, 156, b"V")
    yield "multi_volume", tar_changed(one, 156, b"M")
    yield "prefix", tar_changed(one, 345, b"folder/below")
    yield "checksum", b"b" + one[1:]
    yield "cut_data", tar_file(tarfile.USTAR_FORMAT, [("a", tarfile.REGTYPE, bytes(2000))])[:1024]
    for name, kind, data in [
        ("pax_size", b"x", b"10 size=1\n"),
        ("pax_big_size", b"x", b"31 size=" + b"9" * 22 + b"\n"),
        ("pax_no_value", b"x", b"7 path\n"),
        ("pax_sparse", b"x", b"22 GNU.sparse.major=1\n"),
        ("pax_other", b"x", b"11 mtime=1\n"),
        ("pax_broken", b"x", b"99 path=a\n"),
        ("pax_name_empty", b"x", b"8 path=\n"),
        ("name_long", b"L", b"n" * 1100),
        ("name_zero", b"L", b"a\0b"),
        ("name_climbs", b"L", b"a/.."),
    ]:
        blocks = 1 + (len(data) + 511) // 512
        yield name, tar_file(tarfile.USTAR_FORMAT, [("extra", kind, data)])[:512 * blocks] + one


def framing_seeds():
    host = b"Host:a"
    yield "get", b"/jobs/job_1?limit=5&after=a+b%20c\n" + host
    yield "absolute", b"http://a/v2/models/x\n" + host
    yield "escapes", b"/%C3%A9/%2e%2e/%2F/%00/%x\n" + host
    yield "relative", b"/a/../b\n" + host
    yield "no_slash", b"jobs\n" + host
    yield "no_host_in_it", b"http://\n" + host
    yield "short_escape", b"/%4\n" + host
    yield "escaped_controls", b"/a?b=%01\n" + host
    yield "escaped_in_query", b"/?a%zz=1\n" + host
    yield "escaped_zero", b"/%00\n" + host
    yield "no_value", b"/?a&b=&c\n" + host
    yield "not_utf8", b"/%ff?%fe=%ff\n" + host
    yield "long_target", b"/" + b"a" * 3000 + b"\n" + host
    yield "twice", b"/?a=1&a=2&&b\n" + host
    yield "deep", b"/a" * 20 + b"\n" + host
    yield "params", b"/?" + b"&".join(b"p%d=" % i for i in range(20)) + b"\n" + host
    yield "length", b"/\n" + host + b"\nContent-Length:5\nExpect:100-continue"
    yield "lengths", b"/\n" + host + b"\nContent-Length:5\ncontent-length:6"
    yield "list", b"/\n" + host + b"\nContent-Length:5, 5"
    yield "plus", b"/\n" + host + b"\nContent-Length:+5"
    yield "both", b"/\n" + host + b"\nContent-Length:5\nTransfer-Encoding:chunked"
    yield "chunked", b"/\n" + host + b"\nTransfer-Encoding:chunked"
    yield "coding", b"/\n" + host + b"\nTransfer-Encoding:gzip, chunked"
    yield "space", b"/\n" + host + b"\nContent-Length :5"
    yield "hosts", b"/\n" + host + b"\n" + host
    yield "bad_host", b"/\nHost:a/b"
    yield "no_host", b"/\nAccept:*/*"
    yield "control", b"/\n" + host + b"\nX:\x01"
    yield "expect", b"/\n" + host + b"\nExpect:200-ok"
    yield "many", b"/\n" + host + b"\nX:1" * 80


SEEDS = {
    "framing": framing_seeds,
    "json": json_seeds,
    "safetensors": tensors_seeds,
    "fields": fields_seeds,
    "dataset": dataset_seeds,
    "incoming": incoming_seeds,
    "picture": picture_seeds,
    "tar": tar_seeds,
    "inference": inference_seeds,
    "multipart": multipart_seeds,
}


def main():
    for target, seeds in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
