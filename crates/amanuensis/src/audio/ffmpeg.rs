//! The ffmpeg program, for what nothing here can read: run without a shell, without the network, and killed when unwanted.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

use super::error::AudioError;
use super::input::Media;
use super::intake::{Intake, Watch};
use super::options::{Channels, Encoding, OpenOptions};
use super::pcm;
use super::recording::{Decoder, Recording, SAMPLE_RATE, Source};
use super::wav;

/// Containers that may be read. Playlists and lists of files are not among them: they name other files.
const CONTAINERS: &str = "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,dtshd,eac3,flac,flv,gsm,loas,matroska,\
                          mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,ogg,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wv,xwma";

/// Bytes of its complaints that are kept.
const COMPLAINT: usize = 2000;

/// Why the program gave no recording.
pub(super) enum Failure {
    /// There is no such program.
    NotInstalled(String),
    /// It could not read the input.
    Refused(String),
    /// Reading ended for a reason of its own.
    Audio(AudioError),
}

impl From<AudioError> for Failure {
    fn from(error: AudioError) -> Self {
        Failure::Audio(error)
    }
}

/// Decodes the input by running the program.
pub(super) fn decode(
    media: &Media,
    name: &str,
    options: &OpenOptions,
    watch: Watch<'_>,
) -> Result<Vec<Recording>, Failure> {
    let program = options.ffmpeg_program.clone().unwrap_or_else(|| PathBuf::from("ffmpeg"));
    let copy = match media.path() {
        Some(_) => None,
        None => Some(copy_to_file(media).map_err(|source| AudioError::Io {
            name: name.to_owned(),
            action: "copying to a temporary file for ffmpeg",
            reason: source,
        })?),
    };
    let path = match (&copy, media.path()) {
        (Some(copy), _) => copy.path(),
        (None, Some(path)) => path.as_path(),
        (None, None) => Path::new(""),
    };
    let spawned = Command::new(&program)
        .args(arguments(path, options.limits.max_duration, options.channels))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => Running(child),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::NotInstalled(program.display().to_string()));
        }
        Err(error) => {
            return Err(AudioError::Io { name: name.to_owned(), action: "starting ffmpeg", reason: error }.into());
        }
    };
    let complaint = child.0.stderr.take().map(listen);
    let mut intake = Intake::new(name, options, watch)?;
    if let Some(mut stdout) = child.0.stdout.take() {
        let shape = match options.channels {
            Channels::Mix => Ok(Some((1, 0))),
            _ => wav::streamed_channels(&mut stdout),
        };
        // Without a header it has no sound, and says why.
        if let Some((channels, mask)) = shape.map_err(|reason| reading(name, reason))? {
            intake.shape(SAMPLE_RATE, channels, mask, true)?;
            pcm::decode(&mut stdout, Encoding::S16Le, channels, u64::MAX, &mut intake)
                .map_err(|error| error.named(name))?;
        }
    }
    let status = child.0.wait().map_err(|source| AudioError::Io {
        name: name.to_owned(),
        action: "waiting for ffmpeg",
        reason: source,
    })?;
    let complaint = complaint.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if !status.success() && intake.len()? == 0 {
        return Err(Failure::Refused(complaint));
    }
    if !complaint.is_empty() {
        intake.warn(format!("ffmpeg: {complaint}"));
    }
    let source = Source {
        name: name.to_owned(),
        container: "unknown".into(),
        codec: "unknown".into(),
        sample_rate: 0,
        channels: 0,
        decoder: Decoder::Ffmpeg,
    };
    Ok(intake.finish(source)?)
}

fn reading(name: &str, reason: io::Error) -> AudioError {
    AudioError::Io { name: name.to_owned(), action: "reading what ffmpeg gives", reason }
}

/// The argument list. The `file:` before the path keeps names that begin with `-` or hold a colon what they are.
fn arguments(path: &Path, max_duration: f64, channels: Channels) -> Vec<OsString> {
    let mut url = OsString::from("file:");
    url.push(path);
    // A second more than allowed, so that too long a sound is seen to be too long.
    let duration = format!("{:.3}", max_duration + 1.0);
    let mut list: Vec<OsString> = [
        "-nostdin",
        "-hide_banner",
        "-v",
        "error",
        "-protocol_whitelist",
        "file,pipe",
        "-format_whitelist",
        CONTAINERS,
    ]
    .map(OsString::from)
    .to_vec();
    list.extend(["-i".into(), url]);
    let rate = SAMPLE_RATE.to_string();
    list.extend(["-vn", "-sn", "-dn", "-t", &duration, "-ar", &rate, "-acodec", "pcm_s16le"].map(OsString::from));
    // Mixed it is samples and nothing else; else a header says how many channels there are.
    let format: &[&str] = match channels {
        Channels::Mix => &["-ac", "1", "-f", "s16le"],
        _ => &["-f", "wav"],
    };
    list.extend(format.iter().chain(&["pipe:1"]).map(OsString::from));
    list
}

fn copy_to_file(media: &Media) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("amanuensis-").tempfile()?;
    io::copy(&mut media.rewound(), file.as_file_mut())?;
    Ok(file)
}

/// Keeps the last of what the program writes to standard error, on a thread of its own so that it never blocks.
fn listen(stderr: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut last = String::new();
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        while matches!(Read::by_ref(&mut reader).take(COMPLAINT as u64).read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() && last.len() < COMPLAINT {
                if !last.is_empty() {
                    last.push_str("; ");
                }
                last.push_str(&text);
            }
            line.clear();
        }
        last
    })
}

/// A program that does not outlive our interest in it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
