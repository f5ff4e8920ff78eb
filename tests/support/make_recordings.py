"""Make tests/data/made again: recordings of one sentence in all the ways people store sound.

Needs FFmpeg with libopus, libvorbis, libspeex, LAME and SoX's resampler (Debian's 5.1 has them),
and opusenc for pauses that are not sent. Neither the tests nor livegate need any of that.

    python tests/support/make_recordings.py
"""

import hashlib
import json
import shlex
import subprocess
from array import array
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import attrs

DATA: Final = Path(__file__).parent.parent / "data"
FOLDER: Final = DATA / "made"
SENTENCE: Final = DATA / "recordings" / "webm-pcm-blob.webm"

# Where there are several channels, each is heard in another loudness and a little later.
SOUNDS: Final = {
    "mono": "anull",
    "stereo": "pan=stereo|c0=c0|c1=0.5*c0,adelay=0|3",
    "5.1": "pan=5.1|c0=c0|c1=0.7*c0|c2=0.8*c0|c3=0.3*c0|c4=0.4*c0|c5=0.3*c0,adelay=0|2|1|0|5|7",
    "short": "atrim=0.1:0.4,asetpts=PTS-STARTPTS",
    "short stereo": "atrim=0.1:0.35,asetpts=PTS-STARTPTS,pan=stereo|c0=c0|c1=0.5*c0,adelay=0|3",
    "short 5.1": (
        "atrim=0.1:0.3,asetpts=PTS-STARTPTS,"
        "pan=5.1|c0=c0|c1=0.7*c0|c2=0.8*c0|c3=0.3*c0|c4=0.4*c0|c5=0.3*c0,adelay=0|2|1|0|5|7"
    ),
    "pauses": "apad=pad_dur=0.6,aloop=loop=1:size=76800",
    "long": "aloop=loop=3:size=48000,atrim=end=3.4",
}
"""Name -> how it is made of a second of that sentence, in 48 kHz floats."""

TAGS: Final = "-metadata title=Lisbon -metadata artist=livegate -metadata comment=weather"
COVER: Final = "-map 0:a -map 1:v -c:v mjpeg -disposition:v attached_pic"
FILM: Final = "-map 0:a -map 1:v -c:v mjpeg"


@attrs.frozen
class Row:
    """One file."""

    name: str
    sound: str
    arguments: str
    """Of FFmpeg, for the output."""
    ends: Literal["said", "long", "never"]
    """Where it says so; or it is so long that nobody would send it in slices; or nowhere."""
    way: str = "file"
    """`pipe`: written where nobody can go back to fill in sizes; `tagged`: with an ID3 tag in
    front; `opusenc`: packed again from what that made."""


TABLE: Final = [
    # WebM and Matroska
    Row("opus-24k.webm", "mono", "-c:a libopus -b:a 24k -application voip", ends="said"),
    Row("opus-2.5ms.webm", "mono", "-c:a libopus -b:a 48k -frame_duration 2.5", ends="said"),
    Row("opus-5ms.mkv", "mono", "-c:a libopus -b:a 48k -frame_duration 5", ends="said"),
    Row("opus-10ms-lowdelay.webm", "mono",
        "-c:a libopus -b:a 40k -frame_duration 10 -application lowdelay", ends="said"),
    Row("opus-40ms.webm", "stereo", "-c:a libopus -b:a 40k -frame_duration 40", ends="said"),
    Row("opus-60ms.webm", "mono", "-c:a libopus -b:a 24k -frame_duration 60", ends="said"),
    Row("opus-120ms.webm", "mono", "-c:a libopus -b:a 24k -frame_duration 120", ends="said"),
    Row("opus-streamed.webm", "mono",
        "-c:a libopus -b:a 32k -f webm -live 1 -cluster_time_limit 200", ends="never", way="pipe"),
    Row("opus-8khz.webm", "mono", "-c:a libopus -b:a 16k -ar 8000", ends="said"),
    Row("opus-5.1.mkv", "5.1", "-c:a libopus -b:a 160k", ends="said"),
    Row("opus-dtx.webm", "pauses", "-c:a copy", ends="said", way="opusenc"),
    Row("opus-film.mkv", "mono", f"{FILM} -c:a libopus -b:a 32k", ends="said"),
    Row("opus-tags.webm", "mono",
        f"-c:a libopus -b:a 32k {TAGS} -reserve_index_space 2000", ends="said"),
    Row("vorbis-44khz.webm", "mono", "-c:a libvorbis -q:a 2 -ar 44100", ends="said"),
    Row("vorbis-stereo-22khz.webm", "stereo", "-c:a libvorbis -q:a 3 -ar 22050", ends="said"),
    Row("vorbis-5.1.mkv", "5.1", "-c:a libvorbis -q:a 1", ends="said"),
    Row("pcm-s16.mkv", "short", "-c:a pcm_s16le -ar 16000", ends="said"),
    Row("pcm-s24be-stereo.mkv", "short stereo", "-c:a pcm_s24be -ar 16000", ends="said"),
    Row("pcm-u8.mkv", "mono", "-c:a pcm_u8 -ar 12000", ends="said"),
    Row("pcm-f32-streamed.mkv", "short", "-c:a pcm_f32le -ar 22050 -f matroska",
        ends="never", way="pipe"),
    Row("flac-24bit-96khz.mkv", "short", "-c:a flac -sample_fmt s32 -ar 96000 -t 0.3", ends="said"),
    Row("aac.mkv", "stereo", "-c:a aac -b:a 48k -ar 44100", ends="said"),
    Row("mp3.mkv", "mono", "-c:a libmp3lame -b:a 48k -ar 32000", ends="said"),
    Row("mp3-cover.mkv", "mono", "-c:a libmp3lame -b:a 32k -ar 24000 -attach {cover} "
        "-metadata:s:t mimetype=image/jpeg", ends="said"),
    # WAV
    Row("u8-8khz.wav", "mono", "-c:a pcm_u8 -ar 8000", ends="said"),
    Row("s16-16khz.wav", "mono", "-c:a pcm_s16le -ar 16000", ends="said"),
    Row("s16-stereo-44khz-tags.wav", "short stereo",
        f"-c:a pcm_s16le -ar 44100 {TAGS} -write_bext 1", ends="said"),
    Row("s16-5.1-16khz.wav", "short 5.1", "-c:a pcm_s16le -ar 16000", ends="said"),
    Row("s24-96khz.wav", "short", "-c:a pcm_s24le -ar 96000 -t 0.2", ends="said"),
    Row("s24-stereo-24khz.wav", "short stereo", "-c:a pcm_s24le -ar 24000", ends="said"),
    Row("s32-12khz.wav", "short", "-c:a pcm_s32le -ar 12000", ends="said"),
    Row("f32-22khz.wav", "short", "-c:a pcm_f32le -ar 22050", ends="said"),
    Row("f64-11khz.wav", "short", "-c:a pcm_f64le -ar 11025", ends="said"),
    Row("mulaw-8khz.wav", "mono", "-c:a pcm_mulaw -ar 8000", ends="said"),
    Row("alaw-stereo-8khz.wav", "stereo", "-c:a pcm_alaw -ar 8000", ends="said"),
    Row("s16-48khz-rf64.wav", "short", "-c:a pcm_s16le -rf64 always", ends="said"),
    Row("s16-streamed.wav", "short", "-c:a pcm_s16le -ar 16000 -f wav", ends="never", way="pipe"),
    # Ogg
    Row("opus.ogg", "mono", "-c:a libopus -b:a 24k", ends="said"),
    Row("opus-60ms-stereo.opus", "stereo", "-c:a libopus -b:a 32k -frame_duration 60", ends="said"),
    Row("opus-small-pages.ogg", "mono", "-c:a libopus -b:a 24k -page_duration 20000", ends="said"),
    Row("opus-5.1.ogg", "short 5.1", "-c:a libopus -b:a 128k", ends="said"),
    Row("opus-dtx.ogg", "pauses", "-c:a copy", ends="said", way="opusenc"),
    Row("vorbis-44khz.ogg", "stereo", f"-c:a libvorbis -q:a 2 -ar 44100 {TAGS}", ends="said"),
    Row("vorbis-8khz.ogg", "mono", "-c:a libvorbis -q:a 4 -ar 8000", ends="said"),
    Row("vorbis-5.1.ogg", "short 5.1", "-c:a libvorbis -q:a 1", ends="said"),
    Row("flac.ogg", "short", "-c:a flac -sample_fmt s16 -ar 16000", ends="said"),
    Row("speex-8khz.ogg", "mono", "-c:a libspeex -ar 8000 -b:a 15k", ends="said"),
    Row("speex-16khz.spx", "mono", "-c:a libspeex -ar 16000 -b:a 24k", ends="said"),
    Row("speex-32khz-vbr.ogg", "mono", "-c:a libspeex -ar 32000 -vbr 1 -q:a 7", ends="said"),
    # MP4
    Row("aac.m4a", "stereo", "-c:a aac -b:a 64k -ar 44100", ends="said"),
    Row("aac-faststart.m4a", "mono", "-c:a aac -b:a 48k -movflags +faststart", ends="said"),
    Row("aac-16khz.mp4", "mono", "-c:a aac -b:a 32k -ar 16000", ends="said"),
    Row("aac-5.1.m4a", "5.1", "-c:a aac -b:a 192k", ends="said"),
    Row("aac-cover.m4a", "mono", f"{COVER} -c:a aac -b:a 48k -ar 22050 {TAGS}", ends="said"),
    Row("aac-film.mp4", "mono", f"{FILM} -c:a aac -b:a 48k -movflags +faststart", ends="said"),
    Row("aac-fragmented.mp4", "mono",
        "-c:a aac -b:a 48k -movflags +frag_keyframe+empty_moov+default_base_moof "
        "-frag_duration 200000", ends="said"),
    Row("aac-streamed.mp4", "stereo",
        "-c:a aac -b:a 64k -ar 44100 -movflags +frag_keyframe+empty_moov+default_base_moof+skip_trailer "
        "-frag_duration 200000 -f mp4", ends="never", way="pipe"),
    Row("alac.m4a", "short stereo", "-c:a alac -sample_fmt s16p -ar 44100", ends="said"),
    Row("alac-24bit.m4a", "short", "-c:a alac -sample_fmt s32p -movflags +faststart", ends="said"),
    Row("opus.mp4", "mono", "-c:a libopus -b:a 32k", ends="said"),
    Row("opus-fragmented.mp4", "mono",
        "-c:a libopus -b:a 32k -movflags +frag_keyframe+empty_moov -frag_duration 250000",
        ends="said"),
    Row("flac.mp4", "short", "-c:a flac -sample_fmt s16 -ar 16000 -strict experimental",
        ends="said"),
    Row("pcm-s16be.mov", "short", "-c:a pcm_s16be -ar 16000", ends="said"),
    Row("pcm-s24-stereo.mov", "short stereo", "-c:a pcm_s24le -ar 22050", ends="said"),
    # MP3
    Row("mpeg1-stereo.mp3", "stereo", f"-c:a libmp3lame -b:a 64k -ar 44100 {TAGS}", ends="said"),
    Row("mpeg1-vbr.mp3", "mono", "-c:a libmp3lame -q:a 5", ends="said"),
    Row("mpeg2-16khz.mp3", "mono", "-c:a libmp3lame -b:a 32k -ar 16000", ends="said"),
    Row("mpeg2.5-8khz.mp3", "mono", "-c:a libmp3lame -b:a 24k -ar 8000", ends="said"),
    Row("cover.mp3", "mono",
        f"{COVER} -c:a libmp3lame -b:a 48k -ar 32000 -id3v2_version 3 {TAGS}", ends="said"),
    Row("bare.mp3", "mono",
        "-c:a libmp3lame -b:a 48k -ar 24000 -write_xing 0 -id3v2_version 0", ends="never"),
    Row("long.mp3", "long", "-c:a libmp3lame -b:a 32k -ar 22050", ends="said"),
    Row("long-bare.mp3", "long", "-c:a libmp3lame -b:a 24k -ar 16000 -write_xing 0", ends="long"),
    # FLAC
    Row("16khz.flac", "mono", "-c:a flac -sample_fmt s16 -ar 16000", ends="said"),
    Row("8khz.flac", "short", "-c:a flac -sample_fmt s16 -ar 8000", ends="said"),
    Row("24bit-96khz.flac", "short", "-c:a flac -sample_fmt s32 -ar 96000 -t 0.3", ends="said"),
    Row("5.1.flac", "short 5.1", "-c:a flac -sample_fmt s16 -ar 16000", ends="said"),
    Row("cover.flac", "short", f"{COVER} -c:a flac -sample_fmt s16 -ar 16000 {TAGS}", ends="said"),
    Row("streamed.flac", "short", "-c:a flac -sample_fmt s16 -ar 16000 -f flac", ends="never",
        way="pipe"),
    Row("tagged.flac", "short", "-c:a flac -sample_fmt s16 -ar 16000", ends="said", way="tagged"),
    Row("long.flac", "long", "-c:a flac -sample_fmt s16 -ar 8000", ends="said"),
]  # fmt: skip


def main() -> None:
    """Make all of it."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        if old.name != "README.md":
            old.unlink()
    manifest: dict[str, object] = {}
    references = b""
    places: dict[bytes, int] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        for row in TABLE:
            _make(row, folder)
            reference = _reference(FOLDER / row.name)
            if reference not in places:
                places[reference] = len(references) // 2
                references += _rounded(reference)
            manifest[row.name] = {
                "sound": row.sound,
                "arguments": row.arguments,
                "way": row.way,
                "ends": row.ends,
                "reference": [places[reference], len(reference) // 2],
            }
    _ffmpeg("-f s16le -ar 16000 -ac 1 -i - -compression_level 12 {out}", references)
    manifest["references.flac"] = hashlib.sha256(references).hexdigest()
    rows = [f" {json.dumps(name)}: {json.dumps(row)}" for name, row in manifest.items()]
    (FOLDER / "manifest.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


def _ffmpeg(arguments: str, given: bytes = b"", **places: Path) -> bytes:
    """Run FFmpeg; return what it writes to its output."""
    filled = [
        one.format(out=FOLDER / "references.flac", **places) for one in shlex.split(arguments)
    ]
    command = ["ffmpeg", "-v", "error", "-y", "-bitexact", *filled]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout  # noqa: S603 - the arguments are those above


def _prepare(folder: Path) -> None:
    """Make what the files are made of."""
    for name, how in SOUNDS.items():
        _ffmpeg(
            f"-i {{sentence}} -af 'atrim=0.25:1.25,asetpts=PTS-STARTPTS,{how}' -c:a pcm_f32le "
            "{to}",
            sentence=SENTENCE,
            to=folder / f"{name}.wav",
        )  # fmt: skip
    _ffmpeg("-f lavfi -i testsrc=size=48x32:rate=5 -frames:v 1 {to}", to=folder / "cover.jpg")
    wav, opus = folder / "pauses.wav", folder / "pauses.opus"
    dtx = ["opusenc", "--quiet", "--bitrate", "16", "--speech", "--set-ctl-int", "4016=1"]
    subprocess.run([*dtx, wav, opus], check=True)  # noqa: S603 - the arguments are those above


def _make(row: Row, folder: Path) -> None:
    """Make one file."""
    source = folder / f"{row.sound}.{'opus' if row.way == 'opusenc' else 'wav'}"
    cover, out = folder / "cover.jpg", FOLDER / row.name
    picture = f"{'-loop 1 -framerate 10 -t 1 ' * (FILM in row.arguments)}-i {cover}"
    second = picture if "1:v" in row.arguments else ""
    written = _ffmpeg(
        f"-i '{source}' {second} {row.arguments} -fflags +bitexact "
        + ("-" if row.way == "pipe" else "{to}"),
        cover=cover,
        to=out,
    )
    if row.way == "pipe":
        out.write_bytes(written)
    if row.way == "tagged":
        tag = (FOLDER / "cover.mp3").read_bytes()
        size = 10 + sum(byte << 7 * (3 - at) for at, byte in enumerate(tag[6:10]))
        out.write_bytes(tag[:size] + out.read_bytes())


def _reference(path: Path) -> bytes:
    """Return what FFmpeg hears in a file."""
    return _ffmpeg(
        "-i {path} -map 0:a:0 -ac 1 -af aresample=16000:resampler=soxr -c:a pcm_s16le -f s16le -",
        path=path,
    )


def _rounded(pcm: bytes) -> bytes:
    """Return 16-bit samples that FLAC stores in twelve bits."""
    samples = memoryview(pcm).cast("h")
    return array("h", (min(one + 8, 32767) & ~15 for one in samples)).tobytes()


if __name__ == "__main__":
    main()
