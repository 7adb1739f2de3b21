//! One file, from where it lies to its blob: resumed where it broke off, verified, put in place whole.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Part;
use crate::checksum::Sum;
use crate::error::{HubError, disk};
use crate::http::{Answer, Ask, Attempts, Client, Failure};
use crate::listing::path_of;
use crate::settings::Retries;
use crate::store::Repository;
use crate::{Event, Watch};

/// As much as is read at once.
const BLOCK: usize = 1 << 17;

/// An attempt that brought so much counts as progress: the next failure is as the first.
const PROGRESS: u64 = 1 << 20;

pub(super) struct Transfer<'a> {
    pub(super) client: &'a Client,
    pub(super) retries: Retries,
    pub(super) repository: &'a Repository,
    /// `organisation/name`
    pub(super) of: &'a str,
    pub(super) commit: &'a str,
    pub(super) part: &'a Part,
}

/// What has come of a file, and what it adds up to.
struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
    sum: Sum,
}

/// How an attempt went wrong.
enum Broken {
    /// Nothing more is to be tried.
    Stop(HubError),
    /// The same may go better.
    Try(Failure),
}

impl From<HubError> for Broken {
    fn from(error: HubError) -> Self {
        Self::Stop(error)
    }
}

impl Transfer<'_> {
    pub(super) fn run(&self, watch: &mut Watch<'_>) -> Result<(), HubError> {
        let path = self.repository.partial(&self.part.checksum);
        let mut partial = self.open(&path, watch)?;
        // What lay here from before may be damaged: then, once, everything is fetched.
        let mut resumed = partial.length > 0;
        let mut host = String::new();
        loop {
            self.complete(&mut partial, &mut host, watch)?;
            let found = partial.sum.clone().end();
            if found == self.part.checksum.digits() {
                return self.finish(partial);
            }
            if !resumed {
                drop(partial);
                fs::remove_file(&path).map_err(disk(&path, "remove it"))?;
                return Err(HubError::Checksum {
                    file: format!("{}:{}", self.of, self.part.name),
                    host,
                    kind: self.part.checksum.kind(),
                    expected: self.part.checksum.digits().to_owned(),
                    found,
                });
            }
            resumed = false;
            self.restart(&mut partial)?;
        }
    }

    /// Opens what has come so far, and adds it up.
    fn open(&self, path: &Path, watch: &mut Watch<'_>) -> Result<Partial, HubError> {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(disk(path, "open it"))?;
        let mut sum = self.part.checksum.begin(self.part.size);
        let mut block = vec![0; BLOCK];
        let mut length = 0;
        loop {
            let read = file.read(&mut block).map_err(disk(path, "read it"))?;
            if read == 0 {
                break;
            }
            sum.add(block.get(..read).unwrap_or_default());
            length += read as u64;
            self.tell(length, watch)?;
        }
        let mut partial = Partial { path: path.to_owned(), file, length, sum };
        if length > self.part.size {
            self.restart(&mut partial)?;
        }
        Ok(partial)
    }

    fn restart(&self, partial: &mut Partial) -> Result<(), HubError> {
        let emptied = partial.file.set_len(0).and_then(|()| partial.file.seek(SeekFrom::Start(0)));
        emptied.map_err(disk(&partial.path, "empty it"))?;
        partial.length = 0;
        partial.sum = self.part.checksum.begin(self.part.size);
        Ok(())
    }

    /// Fetches until the file is as long as it must be.
    fn complete(&self, partial: &mut Partial, host: &mut String, watch: &mut Watch<'_>) -> Result<(), HubError> {
        let mut attempts = Attempts::new(self.retries);
        // An empty file is asked for too: there is a repository behind it.
        let mut asked = partial.length > 0;
        while !asked || partial.length < self.part.size {
            let before = partial.length;
            match self.attempt(partial, host, watch) {
                Ok(()) => asked = true,
                Err(Broken::Stop(error)) => return Err(error),
                Err(Broken::Try(failure)) => {
                    if partial.length >= before.saturating_add(PROGRESS) {
                        attempts.progressed();
                    }
                    attempts.after(failure, watch)?;
                }
            }
        }
        Ok(())
    }

    /// One request and what comes of it.
    fn attempt(&self, partial: &mut Partial, host: &mut String, watch: &mut Watch<'_>) -> Result<(), Broken> {
        let path = path_of(self.of, self.commit, &self.part.name);
        let answer = self.client.ask(&path, Ask::From(partial.length)).map_err(Broken::Try)?;
        answer.host.clone_into(host);
        let url = answer.url.clone();
        match answer.status {
            206 => match answer.part() {
                Some((start, all)) if start == partial.length && all.is_none_or(|all| all == self.part.size) => {}
                Some((0, _)) => self.restart(partial)?,
                _ => {
                    // It is another part, or of another file. The next request asks for all of it.
                    self.restart(partial)?;
                    return Err(Broken::Try(Failure::connection(url, "the server sends another part".to_owned())));
                }
            },
            // It sends everything, whatever it was asked for.
            200 => self.restart(partial)?,
            416 => {
                self.restart(partial)?;
                return Err(Broken::Try(Failure::connection(url, "the server has no such part".to_owned())));
            }
            _ => {
                let refused = crate::listing::refusal(answer, self.client, self.of, self.commit);
                return Err(Broken::Stop(refused));
            }
        }
        self.receive(partial, answer, &url, watch)
    }

    fn receive(&self, partial: &mut Partial, answer: Answer, url: &str, watch: &mut Watch<'_>) -> Result<(), Broken> {
        let wanted = self.part.size - partial.length;
        if let Some(announced) = answer.length().filter(|announced| *announced > wanted) {
            let reason = format!(
                "it announces {announced} bytes where the hub says that {wanted} are left of {}",
                self.part.name
            );
            return Err(Broken::Stop(HubError::Answer { url: url.to_owned(), reason }));
        }
        let mut reader = answer.into_reader();
        let mut block = vec![0; BLOCK];
        loop {
            let read = match reader.read(&mut block) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Try(Failure::broken(url.to_owned(), &error))),
            };
            let bytes = block.get(..read).unwrap_or_default();
            if partial.length + read as u64 > self.part.size {
                self.restart(partial)?;
                let reason = format!("it sends more than the {} bytes of {}", self.part.size, self.part.name);
                return Err(Broken::Stop(HubError::Answer { url: url.to_owned(), reason }));
            }
            partial.file.write_all(bytes).map_err(disk(&partial.path, "write it"))?;
            partial.sum.add(bytes);
            partial.length += read as u64;
            self.tell(partial.length, watch)?;
        }
        if partial.length < self.part.size {
            let reason = format!("it ended after {} of {} bytes", partial.length, self.part.size);
            return Err(Broken::Try(Failure::connection(url.to_owned(), reason)));
        }
        Ok(())
    }

    fn tell(&self, done: u64, watch: &mut Watch<'_>) -> Result<(), HubError> {
        let event = Event::Progress { file: &self.part.name, done, total: self.part.size };
        if watch(event).is_break() { Err(HubError::Cancelled) } else { Ok(()) }
    }

    /// Puts a verified file in its place.
    fn finish(&self, partial: Partial) -> Result<(), HubError> {
        partial.file.sync_all().map_err(disk(&partial.path, "write it"))?;
        drop(partial.file);
        let blob = self.repository.blob(&self.part.checksum);
        fs::rename(&partial.path, &blob).map_err(disk(&blob, "put it there"))
    }
}
