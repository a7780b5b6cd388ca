"""What system tests feed to the service, made on the fly: data sets, pictures, jobs; and a reader
of its live streams."""

import http.client
import json
import pathlib
import random
import struct
import zlib

CLASSES = 4


def tensors_file(tensors):
    """A safetensors file; tensors: name -> (dtype, shape, bytes)."""
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    return raw_tensors_file(header, b"".join(data for _, _, data in tensors.values()))


def raw_tensors_file(header, data):
    """A safetensors file whose header says whatever it likes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def tensors_of(data):
    """What is in a safetensors file: the tensors as tensors_file takes them, and the metadata."""
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    notes = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        tensors[name] = (entry["dtype"], entry["shape"], data[begin:end])
    return tensors, notes


def write_tensors(path, tensors):
    pathlib.Path(path).write_bytes(tensors_file(tensors))


def picture_of(label, side, source):
    """Noise around a grey level and a bright quarter that tell the class."""
    pixels = bytearray()
    for y in range(side):
        for x in range(side):
            quarter = 2 * (2 * y // side) + 2 * x // side
            level = 60 + 25 * label + 70 * (quarter == label % 4)
            pixels += bytes(min(255, max(0, int(source.gauss(level, 25)))) for _ in range(3))
    return bytes(pixels)


def split_of(count, side, seed):
    source = random.Random(seed)
    labels = [i % CLASSES for i in range(count)]
    return {"images": ("U8", [count, side, side, 3],
                       b"".join(picture_of(label, side, source) for label in labels)),
            "labels": ("I64", [count], struct.pack(f"<{count}q", *labels))}


def write_dataset(folder, train=128, test=32, side=8):
    """A data set of 4 classes that a small network learns at once."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    write_tensors(folder / "train.safetensors", split_of(train, side, 1))
    write_tensors(folder / "test.safetensors", split_of(test, side, 2))
    (folder / "classes.txt").write_text("ant\nbee\ncat\ndog\n")
    return folder


def add_dataset(service, name="tiny", **sizes):
    """Writes a data set and imports it under its folder's name; the answer to that."""
    return service.import_dataset(name, write_dataset(service.folder / name, **sizes))


def png_chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def png(width, height, rgb, rows=None):
    """A PNG file of RGB bytes; rows, if given, is the compressed data instead."""
    if rows is None:
        line = 3 * width
        rows = zlib.compress(b"".join(b"\0" + rgb[y * line:(y + 1) * line]
                                      for y in range(height)))
    return (b"\x89PNG\r\n\x1a\n" +
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b""))


def picture(label, seed=3, scale=1):
    """A PNG picture of a class, 8x8, each pixel repeated scale times."""
    pixels = picture_of(label, 8, random.Random(seed))
    side = 8 * scale
    large = b"".join(pixels[3 * (8 * (y // scale) + x // scale):][:3]
                     for y in range(side) for x in range(side))
    return png(side, side, large)


def jpeg(level=200, width=8, height=8):
    """An 8x8 baseline JPEG file of one grey level (64 or more away from 128), by hand; the header
    may claim another size."""
    difference = level - 128  # the DC coefficient, as the quantiser divides by 8; 7 bits
    bits = "0" + format(difference if difference > 0 else difference + 127, "07b") + "0"
    data = int(bits.ljust(16, "1"), 2).to_bytes(2, "big").replace(b"\xff", b"\xff\0")

    def segment(marker, body):
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    return (b"\xff\xd8" + segment(0xDB, b"\0" + bytes([8] * 64)) +
            segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)) +
            segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\7") +
            segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0") +
            segment(0xDA, b"\1\1\0\0\x3f\0") + data + b"\xff\xd9")


def job(**fields):
    """A small job on the data set `tiny`, the same bytes on any machine."""
    return {"method": "ce", "student": "resnet8", "dataset": "tiny", "epochs": 2, "batch_size": 16,
            "threads": 1, "device": "ref", **fields}


def points_of(service, job_id):
    return service.get(f"/jobs/{job_id}/metrics").json()["points"]


def curve_of(service, job_id):
    """The points without what differs from run to run: the time and the speed."""
    return [{name: value for name, value in point.items() if name not in ("time", "images_per_s")}
            for point in points_of(service, job_id)]


def weights_of(service, job_id):
    """The bytes of the job's model."""
    model = service.get(f"/jobs/{job_id}").json()["model"]
    return service.get(f"/models/{model}/weights").body


def evaluation_of(service, job_id):
    """How well the job's model does, without its id."""
    model = service.get(f"/jobs/{job_id}").json()["model"]
    return {**service.get(f"/models/{model}/evaluation").json(), "model": None}


class Stream:
    """A live stream of a job's metrics or events: iterates over (id, event, data)."""

    def __init__(self, service, job_id, last_event_id=None, what="metrics"):
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        self.connection = http.client.HTTPConnection(service.host, service.port, timeout=60)
        self.connection.request("GET", f"/jobs/{job_id}/{what}", headers=headers)
        self.response = self.connection.getresponse()
        self.comments = []

    def __iter__(self):
        try:
            yield from self._events()
        finally:
            self.close()

    def _events(self):
        fields = {}
        for line in self.response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "" and "data" in fields:
                yield fields.get("id"), fields["event"], json.loads(fields["data"])
            if line.startswith(b":"):
                self.comments.append(line)
            fields = {**fields, name: value} if name else {}

    def close(self):
        self.response.close()
        self.connection.close()
