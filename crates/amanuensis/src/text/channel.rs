//! What a channel is called: whoever speaks there, where somebody gave a name; else its place.

use std::collections::BTreeMap;

use crate::segments::{Segment, Transcript};

/// Longest name, in letters.
const LONGEST: usize = 80;

/// The names of a transcript's channels.
#[derive(Debug, Clone)]
pub struct Channels {
    /// Whether those without a given name are no more than the two of a stereo recording.
    stereo: bool,
    given: BTreeMap<usize, String>,
}

impl Channels {
    /// Those of the channels on which something was said.
    pub fn of(transcript: &Transcript) -> Channels {
        let heard = || transcript.segments.iter().filter_map(|segment| Some((segment.channel?, segment)));
        let given = heard().filter_map(|(channel, segment)| Some((channel, shown(segment.speaker.as_deref()?)?)));
        let given: BTreeMap<usize, String> = given.collect();
        let stereo = heard().all(|(channel, _)| channel < 2 || given.contains_key(&channel));
        Channels { stereo, given }
    }

    /// The name that was given; or `left`, `right`; `channel 1` and so on where there are more.
    pub fn name(&self, channel: usize) -> String {
        match (self.given.get(&channel), channel) {
            (Some(name), _) => name.clone(),
            (None, 0) if self.stereo => "left".to_owned(),
            (None, 1) if self.stereo => "right".to_owned(),
            _ => format!("channel {}", channel.saturating_add(1)),
        }
    }

    /// The name as it stands before a text: `[left] `, or nothing where there is no channel.
    pub(super) fn prefix(&self, channel: Option<usize>) -> String {
        channel.map(|channel| format!("[{}] ", self.name(channel))).unwrap_or_default()
    }
}

/// A given name without what means something in a format of captions or tables. None if nothing is left.
fn shown(name: &str) -> Option<String> {
    let plain = |letter: char| if letter.is_control() || "<>[]{},;\"\\&".contains(letter) { ' ' } else { letter };
    let words: Vec<String> = name.split_whitespace().map(|word| word.chars().map(plain).collect()).collect();
    let words: Vec<&str> = words.iter().flat_map(|word: &String| word.split_whitespace()).collect();
    let name: String = words.join(" ").chars().take(LONGEST).collect();
    (!name.is_empty()).then_some(name)
}

/// Gives everybody who speaks a channel: the one of the segment where it is theirs alone, or one of their own.
pub(super) fn seat(segments: &mut [Segment], names: &[Option<&str>]) {
    let mut seats: Vec<(usize, &str)> = Vec::new();
    let is_plain = |segment: &Segment, name: &str| {
        find(name).is_some_and(|place| segment.channel.is_none_or(|channel| channel == place))
    };
    let mut unnamed: Vec<usize> = Vec::new();
    for (segment, name) in segments.iter_mut().zip(names) {
        match name {
            Some(name) if is_plain(segment, name) => segment.channel = find(name),
            Some(_) => continue,
            None => {}
        }
        unnamed.extend(segment.channel);
    }
    for (segment, name) in segments.iter_mut().zip(names) {
        let Some(name) = name.filter(|name| !is_plain(segment, name)) else { continue };
        let known = seats.iter().find(|(_, other)| *other == name).map(|(seat, _)| *seat);
        let seat = known.unwrap_or_else(|| {
            let is_taken = |seat: &usize| unnamed.contains(seat) || seats.iter().any(|(taken, _)| taken == seat);
            let seat = segment.channel.filter(|channel| !is_taken(channel));
            let seat = seat.or_else(|| (0..).find(|seat| !is_taken(seat))).unwrap_or_default();
            seats.push((seat, name));
            seat
        });
        segment.channel = Some(seat);
        segment.speaker = Some(name.to_owned());
    }
}

/// The channel of a name; none where it is no name of one.
fn find(name: &str) -> Option<usize> {
    match name {
        "left" => Some(0),
        "right" => Some(1),
        _ => name.strip_prefix("channel ")?.parse::<usize>().ok()?.checked_sub(1),
    }
}

/// Whether any segment was heard on a channel of its own.
pub(super) fn any(transcript: &Transcript) -> bool {
    transcript.segments.iter().any(|segment| segment.channel.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(numbers: &[usize]) -> Channels {
        let segments = numbers.iter().map(|channel| Segment { channel: Some(*channel), ..Segment::default() });
        Channels::of(&Transcript { segments: segments.collect(), ..Transcript::default() })
    }

    #[test]
    fn two_channels_are_left_and_right_and_more_are_counted_from_one() {
        assert_eq!(channels(&[1, 0]).prefix(Some(0)), "[left] ");
        assert_eq!(channels(&[1]).name(1), "right");
        assert_eq!(channels(&[0, 2]).name(0), "channel 1");
        assert_eq!(channels(&[]).prefix(None), "");
    }

    fn seated(said: &[(Option<usize>, Option<&str>)]) -> Vec<(Option<usize>, String)> {
        let segment =
            |(channel, _): &(Option<usize>, Option<&str>)| Segment { channel: *channel, ..Segment::default() };
        let names: Vec<Option<&str>> = said.iter().map(|(_, name)| *name).collect();
        let mut transcript = Transcript { segments: said.iter().map(segment).collect(), ..Transcript::default() };
        seat(&mut transcript.segments, &names);
        let channels = Channels::of(&transcript);
        let shown = |segment: &Segment| (segment.channel, segment.channel.map_or(String::new(), |c| channels.name(c)));
        transcript.segments.iter().map(shown).collect()
    }

    #[test]
    fn names_that_were_given_stay() {
        let shown = |all: &[(usize, &str)]| -> Vec<(Option<usize>, String)> {
            all.iter().map(|(channel, name)| (Some(*channel), (*name).to_owned())).collect()
        };
        let renamed = [(Some(0), Some("Ada")), (Some(1), Some("right")), (Some(0), Some("Ada"))];
        assert_eq!(seated(&renamed), shown(&[(0, "Ada"), (1, "right"), (0, "Ada")]));
        let once = [(Some(0), Some("left")), (Some(0), Some("Ada")), (Some(1), None)];
        assert_eq!(seated(&once), shown(&[(0, "left"), (2, "Ada"), (1, "right")]));
        let found = [(None, Some("SPEAKER_00")), (None, Some("SPEAKER_01")), (None, Some("SPEAKER_00"))];
        assert_eq!(seated(&found), shown(&[(0, "SPEAKER_00"), (1, "SPEAKER_01"), (0, "SPEAKER_00")]));
        let exchanged = [(Some(0), Some("right")), (Some(1), Some("left"))];
        assert_eq!(seated(&exchanged), shown(&[(0, "right"), (1, "left")]));
        assert_eq!(seated(&[(None, None)]), [(None, String::new())]);
        assert_eq!(shown_name("<v a>, \"b\"\n[c]"), Some("v a b c".to_owned()));
        assert_eq!(shown_name(" <> "), None);
    }

    fn shown_name(name: &str) -> Option<String> {
        super::shown(name)
    }

    #[test]
    fn names_lead_back_to_their_channels() {
        for (channels, channel) in [(channels(&[0, 1]), 1), (channels(&[5]), 0), (channels(&[5]), 5)] {
            assert_eq!(find(&channels.name(channel)), Some(channel));
        }
        assert_eq!((find("SPEAKER_00"), find("channel 0"), find("channel x")), (None, None, None));
    }
}
