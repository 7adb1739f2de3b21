//! Who hears what happens to all that is decoded together: prints segments, and shows how far it has come.

use amanuensis::tokens::languages;
use amanuensis::{Event, Segment, text};

use crate::console::{self, say};
use crate::interrupt;
use crate::outputs::Target;
use crate::progress::Progress;

/// A channel as the writers of text call it.
pub(super) fn channel_name(channel: usize, count: usize) -> String {
    match (channel, count) {
        (0, 2) => "left".to_owned(),
        (1, 2) => "right".to_owned(),
        _ => format!("channel {}", channel + 1),
    }
}

/// Who hears what happens to all that is decoded together.
pub(super) struct Watcher<'a> {
    pub(super) progress: &'a mut Progress,
    pub(super) verbose: bool,
    pub(super) closed: bool,
    /// Whether segments are printed with the name of their file.
    pub(super) labelled: bool,
    /// Seconds that are done of each recording, and of all there are.
    pub(super) processed: Vec<f64>,
    pub(super) total: f64,
    /// Why a segment could not be printed.
    pub(super) unprinted: Option<std::io::Error>,
}

impl Watcher<'_> {
    pub(super) fn hear(&mut self, job: usize, name: &str, target: &Target, channel: Option<&str>, event: Event<'_>) {
        match event {
            Event::Progress { processed, .. } => {
                self.processed[job] = processed;
                self.progress.update(self.processed.iter().sum(), Some(self.total));
            }
            Event::Segment(segment) if self.verbose && !self.closed => self.print(name, target, channel, segment),
            Event::Language([(code, probability), ..]) if self.verbose => {
                let (percent, known) = (100.0 * probability, languages::name_of(code).unwrap_or("no name"));
                let channel = channel.map_or_else(String::new, |channel| format!(", {channel}"));
                say!("{name}{channel}: language {code} ({known}), {percent:.1}% sure");
            }
            _ => {}
        }
    }

    fn print(&mut self, name: &str, target: &Target, channel: Option<&str>, segment: &Segment) {
        let file = if self.labelled { format!("{}: ", console::visible(name)) } else { String::new() };
        let label = channel.map_or_else(|| file.clone(), |channel| format!("{file}[{channel}] "));
        let printed = text::line(segment).and_then(|line| console::print(format_args!("{label}{line}")));
        match printed {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                self.closed = true;
                if *target == Target::Nothing {
                    interrupt::ask(); // nobody reads and nothing is kept
                }
            }
            Err(error) => self.unprinted = Some(error),
            Ok(()) => {}
        }
    }
}
