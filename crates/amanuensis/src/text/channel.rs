//! What a channel is called where channels were transcribed apart.

use crate::segments::Transcript;

/// The names of a transcript's channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    /// Whether there are no more than the two of a stereo recording.
    stereo: bool,
}

impl Channels {
    pub(super) fn of(transcript: &Transcript) -> Channels {
        Channels { stereo: transcript.segments.iter().filter_map(|segment| segment.channel).all(|channel| channel < 2) }
    }

    /// `left`, `right`; `channel 1` and so on where there are more.
    pub(super) fn name(self, channel: usize) -> String {
        match channel {
            0 if self.stereo => "left".to_owned(),
            1 if self.stereo => "right".to_owned(),
            _ => format!("channel {}", channel.saturating_add(1)),
        }
    }

    /// The name as it stands before a text: `[left] `, or nothing where there is no channel.
    pub(super) fn prefix(self, channel: Option<usize>) -> String {
        channel.map(|channel| format!("[{}] ", self.name(channel))).unwrap_or_default()
    }
}

/// The channel of a name; none where it is no name of one.
pub(super) fn find(name: &str) -> Option<usize> {
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
    use crate::segments::Segment;

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

    #[test]
    fn names_lead_back_to_their_channels() {
        for (channels, channel) in [(channels(&[0, 1]), 1), (channels(&[5]), 0), (channels(&[5]), 5)] {
            assert_eq!(find(&channels.name(channel)), Some(channel));
        }
        assert_eq!((find("SPEAKER_00"), find("channel 0"), find("channel x")), (None, None, None));
    }
}
