//! Where sound comes from, made seekable: containers jump about, so a pipe is copied to a temporary file first.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use symphonia::core::io::MediaSource;

use super::error::AudioError;
use super::intake::{Progress, Watch};
use super::options::Limits;
use super::recording::read_at;

/// Bytes of a pipe that are kept in memory before they move to a temporary file.
const MEMORY_BYTES: usize = 16 << 20;

/// ID3v2 tags in a row that are passed over: files that several programs have labelled have two or three.
const MAX_TAGS: usize = 100;

/// Where sound comes from.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file; `-` is a file of that name.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// The bytes of a file, shared and never copied.
    Bytes(Arc<[u8]>),
    /// A file that is open, which needs no name in any folder, and what to call it.
    File {
        /// What messages call it.
        name: String,
        /// The file; its cursor is not moved.
        file: Arc<File>,
    },
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Input {
        Input::Bytes(bytes.into())
    }
}

impl Input {
    /// The input as a person would name it.
    pub fn name(&self) -> String {
        match self {
            Input::Path(path) => path.display().to_string(),
            Input::Stdin => "standard input".into(),
            Input::Bytes(_) => "bytes in memory".into(),
            Input::File { name, .. } => name.clone(),
        }
    }

    /// Opens the input for reading at any place. What cannot seek is copied first, and `watch` may stop that.
    pub(super) fn media(&self, limits: &Limits, watch: Watch<'_>) -> Result<Media, AudioError> {
        let name = self.name();
        let media = match self {
            Input::Path(path) => {
                let io = |source: io::Error| match source.kind() {
                    io::ErrorKind::NotFound => AudioError::NotFound { path: path.clone() },
                    io::ErrorKind::IsADirectory => AudioError::Directory { path: path.clone() },
                    _ => AudioError::Io { name: name.clone(), action: "opening", reason: source },
                };
                let status = std::fs::metadata(path).map_err(io)?;
                if status.is_dir() {
                    return Err(AudioError::Directory { path: path.clone() });
                }
                let file = File::open(path).map_err(io)?;
                if status.is_file() {
                    Media::new(Bytes::File(Arc::new(file), status.len()), Some(path.clone()))
                } else {
                    spool(file, &name, limits, watch)?
                }
            }
            Input::Stdin => spool(io::stdin().lock(), &name, limits, watch)?,
            Input::Bytes(bytes) => Media::new(Bytes::Memory(Arc::clone(bytes)), None),
            Input::File { file, .. } => {
                let io = |source| AudioError::Io { name: name.clone(), action: "reading", reason: source };
                Media::new(Bytes::File(Arc::clone(file), file.metadata().map_err(io)?.len()), None)
            }
        };
        if media.len() == 0 { Err(AudioError::Empty { name }) } else { Ok(media) }
    }
}

/// Bytes in a second of the densest sound that is likely: 32-bit stereo at 192 kHz.
const DENSEST_SOUND: f64 = 192_000.0 * 8.0;
/// Bytes beside the sound: headers, tags, pictures, some video.
const OTHER_MATTER: u64 = 256 << 20;

fn spool(mut reader: impl Read, name: &str, limits: &Limits, watch: Watch<'_>) -> Result<Media, AudioError> {
    let io = |action| move |source| AudioError::Io { name: name.to_owned(), action, reason: source };
    let mut memory = Vec::new();
    let mut file: Option<File> = None;
    let mut total = 0u64;
    let mut block = vec![0u8; 256 << 10];
    let longest = (limits.max_duration * DENSEST_SOUND) as u64;
    let most = limits.max_spooled_bytes.min(longest.saturating_add(OTHER_MATTER));
    loop {
        // Asked before every read, also after one that a signal interrupted: nothing of the sound is known as yet.
        if watch(Progress { decoded: 0.0, total: None }).is_break() {
            return Err(AudioError::Cancelled { name: name.to_owned() });
        }
        let count = match reader.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io("reading")(error)),
        };
        total += count as u64;
        if total > most {
            return Err(AudioError::LimitExceeded {
                name: name.to_owned(),
                what: "the input",
                value: format!("more than {total} bytes"),
                limit: format!("{most} bytes for what cannot seek and is to be {} s at most", limits.max_duration),
            });
        }
        memory.extend_from_slice(&block[..count]);
        if memory.len() > MEMORY_BYTES || file.is_some() {
            let mut open = match file.take() {
                Some(open) => open,
                None => tempfile::tempfile().map_err(io("making a temporary file"))?,
            };
            open.write_all(&memory).map_err(io("writing to a temporary file"))?;
            memory.clear();
            memory.shrink_to(block.len());
            file = Some(open);
        }
    }
    let bytes = match file {
        Some(file) => Bytes::File(Arc::new(file), total),
        None => Bytes::Memory(memory.into()),
    };
    Ok(Media::new(bytes, None))
}

#[derive(Clone)]
enum Bytes {
    /// An open file and its length.
    File(Arc<File>, u64),
    Memory(Arc<[u8]>),
}

/// A seekable input. Clones read the same bytes, each from a place of its own.
#[derive(Clone)]
pub(super) struct Media {
    bytes: Bytes,
    /// Where in the bytes the media begins; every other place counts from here.
    origin: u64,
    place: u64,
    path: Option<PathBuf>,
    /// A few bytes that read otherwise than they are stored, and where.
    patch: Option<(u64, Arc<[u8]>)>,
}

impl Media {
    fn new(bytes: Bytes, path: Option<PathBuf>) -> Media {
        Media { bytes, origin: 0, place: 0, path, patch: None }
    }

    pub(super) fn len(&self) -> u64 {
        let len = match &self.bytes {
            Bytes::File(_, len) => *len,
            Bytes::Memory(bytes) => bytes.len() as u64,
        };
        len.saturating_sub(self.origin)
    }

    /// The file on disk, where there is one that another program could open.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// The same bytes, from the start.
    pub(super) fn rewound(&self) -> Media {
        Media { place: 0, ..self.clone() }
    }

    /// The same bytes from the start, but for those at `place`.
    pub(super) fn patched(&self, place: u64, bytes: &[u8]) -> Media {
        Media { patch: Some((place, bytes.into())), ..self.rewound() }
    }

    /// The same bytes without the ID3v2 tags at their start. A cover picture in a tag may be larger than what a probe
    /// searches, and may look like sound. A tag that claims to reach the end of the file or beyond is left in.
    pub(super) fn after_tags(&self) -> io::Result<Media> {
        let mut place = 0;
        for _ in 0..MAX_TAGS {
            match tag_length(&self.peek(place, 10)?) {
                Some(length) if place + length < self.len() => place += length,
                _ => break,
            }
        }
        Ok(Media { origin: self.origin + place, ..self.rewound() })
    }

    /// Up to `count` bytes from `place`; fewer only at the end.
    pub(super) fn peek(&self, place: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut reader = Media { place, ..self.clone() };
        let mut out = Vec::new();
        Read::by_ref(&mut reader).take(count as u64).read_to_end(&mut out)?;
        Ok(out)
    }
}

/// The length of an ID3v2 tag with its header and its footer, from its first ten bytes.
fn tag_length(head: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', major, minor, flags, ref size @ ..] = head else { return None };
    // The size has seven bits a byte, so that no part of it looks like the start of an MPEG frame.
    if major == 0xff || minor == 0xff || size.len() != 4 || size.iter().any(|&byte| byte >= 0x80) {
        return None;
    }
    let size = size.iter().fold(0, |value, &byte| value << 7 | u64::from(byte));
    Some(10 + size + if flags & 0x10 != 0 { 10 } else { 0 })
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").field("len", &self.len()).field("path", &self.path).finish()
    }
}

impl Read for Media {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // A place that does not fit lies beyond the end of any file.
        let Some(stored) = self.origin.checked_add(self.place) else { return Ok(0) };
        let count = match &self.bytes {
            Bytes::File(file, _) => read_at(file, out, stored)?,
            Bytes::Memory(bytes) => {
                let rest = usize::try_from(stored).ok().and_then(|place| bytes.get(place..)).unwrap_or(&[]);
                let count = rest.len().min(out.len());
                out[..count].copy_from_slice(&rest[..count]);
                count
            }
        };
        if let Some((start, patch)) = &self.patch {
            for (&byte, place) in patch.iter().zip(*start..) {
                if let Some(offset) = place.checked_sub(self.place).filter(|&offset| offset < count as u64) {
                    out[offset as usize] = byte;
                }
            }
        }
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Media {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

impl MediaSource for Media {
    /// A file that claims to be longer than it is has to be read front to back: its index points beyond its end.
    fn is_seekable(&self) -> bool {
        self.patch.is_none()
    }

    fn byte_len(&self) -> Option<u64> {
        self.patch.is_none().then(|| self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn copying_what_cannot_seek_can_be_stopped() {
        let mut asked = 0;
        let mut watch = |_| {
            asked += 1;
            if asked > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error = spool(io::repeat(1), "pipe", &Limits::default(), &mut watch).unwrap_err();
        assert!(matches!(error, AudioError::Cancelled { .. }), "{error}");
        assert_eq!(asked, 4);
    }

    #[test]
    fn copying_what_cannot_seek_ends_at_the_limit() {
        let limits = Limits { max_spooled_bytes: 1_000_000, ..Limits::default() };
        let error = spool(io::repeat(1), "pipe", &limits, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, AudioError::LimitExceeded { what: "the input", .. }), "{error}");
        let media = spool(io::repeat(1).take(1_000_000), "pipe", &limits, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(media.len(), 1_000_000);
    }

    fn memory(bytes: &[u8]) -> Media {
        Media::new(Bytes::Memory(bytes.into()), None)
    }

    /// A tag of a header, a body of `size` bytes, and a footer where `flags` say so.
    fn tag(size: usize, flags: u8) -> Vec<u8> {
        let mut bytes = vec![b'I', b'D', b'3', 4, 0, flags];
        bytes.extend([21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8));
        bytes.resize(bytes.len() + size + if flags & 0x10 != 0 { 10 } else { 0 }, 0xff);
        bytes
    }

    #[test]
    fn tags_are_passed_over_and_places_count_from_their_end() {
        let bytes = [tag(300, 0), tag(0, 0x10), b"sound".to_vec()].concat();
        let media = memory(&bytes).after_tags().unwrap();
        assert_eq!((media.len(), media.peek(1, 9).unwrap()), (5, b"ound".to_vec()));
        let mut media = media.patched(2, b"X");
        assert_eq!(media.seek(SeekFrom::End(-4)).unwrap(), 1);
        let mut out = String::new();
        media.read_to_string(&mut out).unwrap();
        assert_eq!(out, "oXnd");
        media.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(media.read(&mut [0; 4]).unwrap(), 0);
    }

    #[test]
    fn what_only_looks_like_a_tag_stays() {
        let whole = tag(300, 0);
        let size_beyond = [&tag(300, 0)[..200], b"sound"].concat();
        let not_a_size = b"ID3\x03\0\0\0\0\0\x80sound".to_vec();
        for bytes in [whole, size_beyond, not_a_size, b"ID3".to_vec()] {
            assert_eq!(memory(&bytes).after_tags().unwrap().len(), bytes.len() as u64);
        }
    }
}
