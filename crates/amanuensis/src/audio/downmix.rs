//! Many channels to one, with the coefficients that ffmpeg's `-ac 1` uses, or one alone.

/// A loudspeaker, by its bit in the channel mask of `WAVEFORMATEXTENSIBLE` (which other containers share).
pub(super) mod speaker {
    pub(in super::super) const FRONT_LEFT: u64 = 1 << 0;
    pub(in super::super) const FRONT_RIGHT: u64 = 1 << 1;
    pub(in super::super) const FRONT_CENTER: u64 = 1 << 2;
    pub(in super::super) const LOW_FREQUENCY: u64 = 1 << 3;
    pub(in super::super) const BACK_LEFT: u64 = 1 << 4;
    pub(in super::super) const BACK_RIGHT: u64 = 1 << 5;
    pub(in super::super) const FRONT_LEFT_OF_CENTER: u64 = 1 << 6;
    pub(in super::super) const FRONT_RIGHT_OF_CENTER: u64 = 1 << 7;
    pub(in super::super) const BACK_CENTER: u64 = 1 << 8;
    pub(in super::super) const SIDE_LEFT: u64 = 1 << 9;
    pub(in super::super) const SIDE_RIGHT: u64 = 1 << 10;
}

use super::options::Channels;
use speaker::*;

/// The loudspeakers of `count` channels whose layout nobody stated; zero where there is no convention.
pub(super) fn usual_speakers(count: usize) -> u64 {
    const BACK: u64 = BACK_LEFT | BACK_RIGHT;
    const SIDE: u64 = SIDE_LEFT | SIDE_RIGHT;
    const STEREO: u64 = FRONT_LEFT | FRONT_RIGHT;
    match count {
        1 => FRONT_CENTER,
        2 => STEREO,
        3 => STEREO | LOW_FREQUENCY,
        4 => STEREO | FRONT_CENTER | BACK_CENTER,
        5 => STEREO | FRONT_CENTER | BACK,
        6 => STEREO | FRONT_CENTER | LOW_FREQUENCY | BACK,
        7 => STEREO | FRONT_CENTER | LOW_FREQUENCY | SIDE | BACK_CENTER,
        8 => STEREO | FRONT_CENTER | LOW_FREQUENCY | SIDE | BACK,
        _ => 0,
    }
}

/// Weights of the channels in the sum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Downmix {
    float: Vec<f32>,
    /// The same in 1/32768, rounded one by one as ffmpeg does.
    integer: Vec<i32>,
}

impl Downmix {
    /// Weights for `count` interleaved channels at the loudspeakers of `mask`, in the order of its bits.
    pub(super) fn new(count: usize, mask: u64) -> Downmix {
        let mask = if mask.count_ones() as usize == count { mask } else { usual_speakers(count) };
        let mut weights = Vec::with_capacity(count);
        if mask == 0 || count == 1 {
            weights.resize(count, 1.0);
        } else {
            weights.extend((0..64).map(|bit| 1 << bit).filter(|bit| mask & bit != 0).map(weight));
        }
        let total: f64 = weights.iter().sum();
        // Only loudspeakers that do not count (low frequency, ceiling): an even mean is better than silence.
        let (weights, total) = if total == 0.0 { (vec![1.0; count], count as f64) } else { (weights, total) };
        // A sum above one is scaled down, so that it cannot clip.
        let weights: Vec<f64> = weights.iter().map(|weight| weight / total.max(1.0)).collect();
        Downmix {
            float: weights.iter().map(|&weight| weight as f32).collect(),
            integer: weights.iter().map(|weight| (weight * 32768.0).round_ties_even() as i32).collect(),
        }
    }

    /// The sums that become recordings, of `count` channels at the loudspeakers of `mask`; none if a channel is asked for
    /// that is not there.
    pub(super) fn wanted(channels: Channels, count: usize, mask: u64) -> Option<Vec<Downmix>> {
        let alone = |channel| (channel < count).then(|| vec![Downmix::only(count, channel)]);
        let mask = if mask.count_ones() as usize == count { mask } else { usual_speakers(count) };
        // Channels lie in the order of the bits; where no loudspeaker has a name, left comes first.
        let place = |speaker: u64, otherwise: usize| match mask & speaker {
            0 => otherwise,
            _ => (mask & (speaker - 1)).count_ones() as usize,
        };
        match channels {
            Channels::Mix => Some(vec![Downmix::new(count, mask)]),
            Channels::Left => alone(place(FRONT_LEFT, 0)),
            Channels::Right => alone(place(FRONT_RIGHT, 1)),
            Channels::Split => Some((0..count).map(|channel| Downmix::only(count, channel)).collect()),
        }
    }

    /// One of `count` channels as it is.
    fn only(count: usize, channel: usize) -> Downmix {
        let weights = |of_channel| move |place| if place == channel { of_channel } else { 0 };
        Downmix {
            float: (0..count).map(weights(1)).map(|weight| weight as f32).collect(),
            integer: (0..count).map(weights(32768)).collect(),
        }
    }

    /// Sums interleaved integer frames, rounding half up.
    pub(super) fn integers(&self, frames: &[i16], out: &mut Vec<i16>) {
        out.clear();
        match self.integer.as_slice() {
            [_] => out.extend_from_slice(frames),
            weights => out.extend(frames.chunks_exact(weights.len()).map(|frame| {
                let sum: i32 = frame.iter().zip(weights).map(|(&sample, weight)| i32::from(sample) * weight).sum();
                ((sum + 16384) >> 15).clamp(-32768, 32767) as i16
            })),
        }
    }

    /// Sums interleaved float frames.
    pub(super) fn floats(&self, frames: &[f32], out: &mut Vec<f32>) {
        out.clear();
        match self.float.as_slice() {
            [_] => out.extend_from_slice(frames),
            [left, right] => out.extend(frames.chunks_exact(2).map(|frame| frame[0] * left + frame[1] * right)),
            weights => out.extend(
                frames
                    .chunks_exact(weights.len())
                    .map(|frame| frame.iter().zip(weights).map(|(sample, weight)| sample * weight).sum::<f32>()),
            ),
        }
    }
}

/// The share of one loudspeaker before scaling: the centre whole, the front pair 3 dB down, the surround pairs 6 dB.
fn weight(speaker: u64) -> f64 {
    const HALF_POWER: f64 = std::f64::consts::FRAC_1_SQRT_2;
    match speaker {
        FRONT_CENTER => 1.0,
        FRONT_LEFT | FRONT_RIGHT | FRONT_LEFT_OF_CENTER | FRONT_RIGHT_OF_CENTER => HALF_POWER,
        BACK_LEFT | BACK_RIGHT | SIDE_LEFT | SIDE_RIGHT | BACK_CENTER => 0.5,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo_is_the_mean_rounded_up() {
        let mix = Downmix::new(2, FRONT_LEFT | FRONT_RIGHT);
        let mut out = Vec::new();
        mix.integers(&[1, 2, -1, -2, 32767, 32767, -32768, -32768], &mut out);
        assert_eq!(out, [2, -1, 32767, -32768]);
        assert_eq!(mix.float, [0.5, 0.5]);
    }

    #[test]
    fn a_channel_alone_is_itself() {
        let wanted = |channels, count, mask| Downmix::wanted(channels, count, mask);
        let mut out = Vec::new();
        for (channels, expected) in [(Channels::Left, [-32768, 7]), (Channels::Right, [32767, -9])] {
            let [mix] = wanted(channels, 2, 0).unwrap().try_into().unwrap();
            mix.integers(&[-32768, 32767, 7, -9], &mut out);
            assert_eq!(out, expected);
        }
        let split = wanted(Channels::Split, 3, 0).unwrap();
        let mut out = Vec::new();
        for (channel, mix) in split.iter().enumerate() {
            mix.floats(&[0.25, -0.5, 0.75, 0.1, 0.2, 0.3], &mut out);
            assert_eq!(out, [[0.25, 0.1], [-0.5, 0.2], [0.75, 0.3]][channel]);
        }
        assert_eq!(wanted(Channels::Left, 1, 0), Some(vec![Downmix::new(1, 0)]));
        assert_eq!(wanted(Channels::Right, 1, 0), None);
        // A right channel without a left one: the mask says which it is.
        let mask = FRONT_CENTER | FRONT_RIGHT;
        assert_eq!(wanted(Channels::Right, 2, mask), Some(vec![Downmix::only(2, 0)]));
        // More channels than any convention names.
        assert_eq!(wanted(Channels::Right, 10, 0), Some(vec![Downmix::only(10, 1)]));
    }

    #[test]
    fn weights_never_exceed_one() {
        for count in 1..=64 {
            let mix = Downmix::new(count, 0);
            assert_eq!(mix.float.len(), count);
            assert!(mix.float.iter().sum::<f32>() < 1.0 + 1e-5, "{count} channels");
        }
        assert!(Downmix::new(1, LOW_FREQUENCY).float[0] == 1.0);
    }

    #[test]
    fn five_point_one_leaves_out_the_low_frequencies() {
        let mix = Downmix::new(6, usual_speakers(6));
        let total = 2.0 * std::f32::consts::FRAC_1_SQRT_2 + 1.0 + 1.0;
        let expected = [0.5f32.sqrt(), 0.5f32.sqrt(), 1.0, 0.0, 0.5, 0.5].map(|weight| weight / total);
        for (weight, expected) in mix.float.iter().zip(expected) {
            assert!((weight - expected).abs() < 1e-6);
        }
    }
}
