//! Any rate to 16 kHz: a polyphase windowed sinc with the shape of ffmpeg's default resampler.
//!
//! The filter is swresample's documented default: 32 taps at the lower of both rates, cut off at 0.97 of its band,
//! Kaiser window with beta 9, one phase for every output position of the exact ratio, or 1,024 phases with linear
//! interpolation where the ratio has more. Output sample 0 lies on input sample 0; both ends see the sound mirrored.
//! 16-bit sound is filtered with 16-bit coefficients, as there, so that the result is the same integer.
//!
//! Written by hand because no library came as near to ffmpeg; `docs/sound.md` has the measured differences.

use std::f64::consts::PI;
use std::sync::Arc;

use super::recording::SAMPLE_RATE;

/// Taps at the lower rate.
const TAPS: f64 = 32.0;
/// Share of the lower band that passes.
const CUTOFF: f64 = 0.97;
/// Shape of the Kaiser window.
const BETA: f64 = 9.0;
/// Most phases that are tabled; a ratio that needs more is interpolated.
const PHASES: u64 = 1024;
/// Rows are padded with zeros to a multiple of this, so that the inner loop has no tail.
const LANES: usize = 8;

/// Outputs that are filtered side by side: each adds to its own sums, which takes its time, and the other goes on meanwhile.
/// Four are more sums than the plainest x86-64 has registers for, and took twice as long as one by one.
const TOGETHER: usize = 2;

/// What is smaller counts as nothing: the products of such samples are denormal numbers, with which a processor computes far longer.
/// Silence in Opus can die away into them: 20 minutes of it were decoded in 11.3 s, and are in 3.4 (Intel Xeon, model 207).
const NOTHING: f32 = 1e-25;

/// A kind of sample that can be filtered.
pub(super) trait Kind: Copy + Default {
    /// The sample, or zero where it is too small to compute with.
    fn something(self) -> Self;
    /// A coefficient of the value `tap`, where 1.0 passes a sample through.
    fn coefficient(tap: f64) -> Self;
    /// The filtered samples of as many windows.
    fn filter<const N: usize>(rows: [&[Self]; N], windows: [&[Self]; N]) -> [Self; N];
    /// The sample `share` of the way between two filtered ones.
    fn between(row: &[Self], next: &[Self], window: &[Self], share: (u64, u64)) -> Self;
}

impl Kind for f32 {
    fn something(self) -> f32 {
        // What is not a number is not small.
        if self.abs() < NOTHING { 0.0 } else { self }
    }

    fn coefficient(tap: f64) -> f32 {
        tap as f32
    }

    fn filter<const N: usize>(rows: [&[f32]; N], windows: [&[f32]; N]) -> [f32; N] {
        let sums = sums(rows, windows, |sum: f32, tap: f32, sample| sum + tap * sample);
        sums.map(|lanes| lanes.iter().sum())
    }

    fn between(row: &[f32], next: &[f32], window: &[f32], share: (u64, u64)) -> f32 {
        let [first, second] = Self::filter([row, next], [window; 2]);
        first + (second - first) * (share.0 as f32 / share.1 as f32)
    }
}

impl Kind for i16 {
    fn something(self) -> i16 {
        self
    }

    fn coefficient(tap: f64) -> i16 {
        ((tap * 32768.0) as f32).round_ties_even() as i16
    }

    fn filter<const N: usize>(rows: [&[i16]; N], windows: [&[i16]; N]) -> [i16; N] {
        products(rows, windows).map(|sum| ((sum + 16384) >> 15).clamp(-32768, 32767) as i16)
    }

    fn between(row: &[i16], next: &[i16], window: &[i16], share: (u64, u64)) -> i16 {
        let [first, second] = products([row, next], [window; 2]).map(|sum| sum + 16384);
        ((first + (second - first) * share.0 as i64 / share.1 as i64) >> 15).clamp(-32768, 32767) as i16
    }
}

/// Products of 16-bit pairs: one lane holds an eighth of the filter and cannot overflow.
fn products<const N: usize>(rows: [&[i16]; N], windows: [&[i16]; N]) -> [i64; N] {
    let add = |sum: i32, tap: i16, sample: i16| sum.wrapping_add(i32::from(tap) * i32::from(sample));
    sums(rows, windows, add).map(|lanes| lanes.iter().map(|&lane| i64::from(lane)).sum())
}

/// For each row and its window, eight sums side by side.
#[inline(always)]
fn sums<S: Copy, T: Copy + Default, const N: usize>(
    rows: [&[S]; N],
    windows: [&[S]; N],
    add: impl Fn(T, S, S) -> T,
) -> [[T; LANES]; N] {
    let chunks = rows.first().map_or(0, |row| row.len() / LANES);
    let rows = rows.map(|row| &row.as_chunks::<LANES>().0[..chunks]);
    let windows = windows.map(|window| &window.as_chunks::<LANES>().0[..chunks]);
    let mut sums = [[T::default(); LANES]; N];
    for chunk in 0..chunks {
        for n in 0..N {
            let (row, window) = (rows[n][chunk], windows[n][chunk]);
            for lane in 0..LANES {
                sums[n][lane] = add(sums[n][lane], row[lane], window[lane]);
            }
        }
    }
    sums
}

/// Converts one mono stream to 16 kHz, a piece at a time. Clones share the filter.
#[derive(Clone)]
pub(super) struct Resampler<S> {
    /// `phases + 1` rows of `row` coefficients.
    bank: Arc<[S]>,
    row: usize,
    taps: usize,
    phases: u64,
    /// Input positions between two outputs: whole phases, and a remainder in parts of `parts`.
    step: u64,
    step_rest: u64,
    parts: u64,
    /// Where the next output lies between the samples at `window` and after.
    phase: u64,
    rest: u64,
    window: usize,
    /// Input that is still needed; before the first output without the mirrored head.
    buffer: Vec<S>,
    begun: bool,
}

impl<S: Kind> Resampler<S> {
    /// A resampler from `rate`; none when the rate is the wanted one already.
    pub(super) fn new(rate: u32) -> Option<Resampler<S>> {
        if rate == SAMPLE_RATE {
            return None;
        }
        let (from, to) = (u64::from(rate), u64::from(SAMPLE_RATE));
        let factor = (to as f64 * CUTOFF / from as f64).min(1.0);
        let taps = ((TAPS / factor).ceil() as usize).next_multiple_of(2);
        let exact = to / gcd(from, to);
        let phases = if exact <= PHASES { exact } else { PHASES };
        let (step, parts) = (from * phases, to);
        let row = taps.next_multiple_of(LANES);
        Some(Resampler {
            bank: bank(factor, taps, row, phases).into(),
            row,
            taps,
            phases,
            step: step / parts,
            step_rest: step % parts,
            parts,
            phase: 0,
            rest: 0,
            window: 0,
            buffer: Vec::new(),
            begun: false,
        })
    }

    /// Takes some input and appends what it completes to `out`.
    pub(super) fn push(&mut self, input: &[S], out: &mut Vec<S>) {
        self.buffer.extend(input.iter().map(|sample| sample.something()));
        if !self.begun && self.buffer.len() <= self.taps {
            return;
        }
        self.begin();
        self.run(self.buffer.len().saturating_sub(self.row - self.taps), out);
    }

    /// Ends the input and appends the rest to `out`.
    pub(super) fn finish(&mut self, out: &mut Vec<S>) {
        if self.buffer.is_empty() {
            return;
        }
        self.begin();
        let end = self.buffer.len();
        self.run_to_end(end, out);
        // Half a filter of mirrored sound, or what there is.
        let end = self.buffer.len();
        let mirrored = (end.saturating_sub(self.window).min(self.taps)).div_ceil(2).min(end);
        self.buffer.extend_from_within(end - mirrored..);
        self.buffer[end..].reverse();
        self.run_to_end(end + mirrored, out);
        self.buffer.clear();
    }

    /// Puts the mirrored sound before the first sample.
    fn begin(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let head = (self.taps - 1) / 2;
        let sound = std::mem::take(&mut self.buffer);
        self.buffer.reserve(head + sound.len());
        self.buffer.extend((1..=head).rev().map(|place| sound.get(place).copied().unwrap_or_default()));
        self.buffer.extend_from_slice(&sound);
    }

    /// Every output whose filter ends before `end`, although the padded rows reach beyond the input.
    fn run_to_end(&mut self, end: usize, out: &mut Vec<S>) {
        let padding = self.row - self.taps;
        self.buffer.resize(end + padding, S::default());
        self.run(end, out);
        self.buffer.truncate(self.buffer.len() - padding);
    }

    /// Every output whose filter ends before `end`; drops the input that no later one needs.
    fn run(&mut self, end: usize, out: &mut Vec<S>) {
        // Without interpolation several at once, as long as there are so many.
        while self.step_rest == 0 && self.window + TOGETHER * (self.step / self.phases + 1) as usize + self.taps <= end
        {
            let places = [(); TOGETHER].map(|()| self.next());
            let rows = places.map(|(_, place, _)| &self.bank[place..place + self.row]);
            let windows = places.map(|(window, ..)| &self.buffer[window..window + self.row]);
            out.extend(S::filter(rows, windows));
        }
        while self.window + self.taps <= end {
            let (window, place, rest) = self.next();
            let window = &self.buffer[window..window + self.row];
            let row = &self.bank[place..place + self.row];
            out.push(if rest == 0 {
                let [sample] = S::filter([row], [window]);
                sample
            } else {
                let next = &self.bank[place + self.row..place + 2 * self.row];
                S::between(row, next, window, (rest, self.parts))
            });
        }
        let done = self.window.min(self.buffer.len());
        self.buffer.drain(..done);
        self.window -= done;
    }

    /// The window of the next output, where its coefficients begin, and how far it lies on the way to those of the next
    /// phase; from here on it is the last.
    fn next(&mut self) -> (usize, usize, u64) {
        let next = (self.window, self.phase as usize * self.row, self.rest);
        self.rest += self.step_rest;
        self.phase += self.step;
        if self.rest >= self.parts {
            self.rest -= self.parts;
            self.phase += 1;
        }
        self.window += (self.phase / self.phases) as usize;
        self.phase %= self.phases;
        next
    }
}

/// The filter at every phase, and once more at the phase of the next sample, for interpolation.
fn bank<S: Kind>(factor: f64, taps: usize, row: usize, phases: u64) -> Vec<S> {
    let center = ((taps - 1) / 2) as f64;
    let tap = |phase: u64, index: usize| {
        let x = PI * (index as f64 - center - phase as f64 / phases as f64) * factor;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        let reach = 2.0 * x / (factor * taps as f64 * PI);
        sinc * bessel(BETA * (1.0 - reach * reach).max(0.0).sqrt())
    };
    // All phases share the scale of the first.
    let scale: f64 = (0..taps).map(|index| tap(0, index)).sum();
    let mut bank = vec![S::default(); row * (phases as usize + 1)];
    for phase in 0..=phases {
        for index in 0..taps {
            bank[phase as usize * row + index] = S::coefficient(tap(phase, index) / scale);
        }
    }
    bank
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel(x: f64) -> f64 {
    let square = x * x / 4.0;
    let (mut sum, mut term, mut index) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= square / (index * index);
        sum += term;
        index += 1.0;
    }
    sum
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resample<S: Kind>(rate: u32, input: &[S], piece: usize) -> Vec<S> {
        let Some(mut resampler) = Resampler::new(rate) else { return input.to_vec() };
        let mut out = Vec::new();
        for piece in input.chunks(piece.max(1)) {
            resampler.push(piece, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    fn expected_length(rate: u32, input: usize) -> usize {
        (input as u64 * u64::from(SAMPLE_RATE)).div_ceil(u64::from(rate)) as usize
    }

    const RATES: [u32; 12] = [1000, 8000, 11025, 12000, 22050, 24000, 32000, 44100, 44099, 48000, 96000, 768_000];

    #[test]
    fn a_constant_stays_a_constant() {
        for rate in RATES {
            let out = resample(rate, &vec![0.5f32; rate as usize / 5], 4096);
            let worst = out.iter().map(|sample| (sample - 0.5).abs()).fold(0.0, f32::max);
            // The phases share one scale, so their sums differ by the ripple of the window.
            assert!(worst < 1e-3, "{rate} Hz: {worst}");
        }
    }

    #[test]
    fn what_is_too_small_to_compute_with_is_nothing() {
        let fading: Vec<f32> = (0..4800).map(|frame| 1e-20 * 0.5f32.powi(frame / 16)).collect();
        let out = resample(48_000, &fading, 1000);
        assert!(out[0] > 0.0 && out.iter().all(|sample| !sample.is_subnormal()));
        assert!(resample(48_000, &[f32::NAN; 4800], 1000)[800].is_nan());
    }

    #[test]
    fn an_impulse_stays_in_its_place() {
        for rate in RATES.into_iter().filter(|rate| *rate >= 8000) {
            let frames = rate as usize / 2;
            let mut input = vec![0.0f32; frames];
            // A place that lies on an output sample: a whole number of hundredths of a second.
            let place = frames / 5 / (rate as usize / 100).max(1) * (rate as usize / 100).max(1);
            input[place] = 1.0;
            let out = resample(rate, &input, 1000);
            let peak = (0..out.len()).max_by(|&a, &b| out[a].total_cmp(&out[b])).unwrap();
            let wanted = (place as f64 * 16000.0 / f64::from(rate)).round() as usize;
            assert_eq!(peak, wanted, "{rate} Hz");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn pieces_do_not_matter_and_length_is_exact(
            rate in prop_oneof![proptest::sample::select(RATES.to_vec()), 1000u32..200_000],
            frames in 0usize..6000,
            piece in 1usize..3000,
        ) {
            let input: Vec<i16> = (0..frames).map(|frame| (frame * 7919 % 20011) as i16 - 10000).collect();
            let whole = resample(rate, &input, frames);
            prop_assert_eq!(&whole, &resample(rate, &input, piece));
            // As in ffmpeg: one sample less where the last filter runs out of mirrored sound, and less than that where
            // the sound is shorter than a filter.
            let difference = expected_length(rate, frames) as i64 - whole.len() as i64;
            let filter = TAPS as usize * (rate as usize / 15000 + 2);
            let most = if frames > filter { 1 } else { i64::MAX };
            prop_assert!((0..=most).contains(&difference), "{} of {}", whole.len(), expected_length(rate, frames));
        }
    }
}
