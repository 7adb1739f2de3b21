//! The encoder: log-mel in, what was heard out.

use std::sync::Arc;

use amanuensis::backend::{BackendError, Stage, Work};
use amanuensis::mel::Mel;
use amanuensis::model::{CONVOLUTION_WINDOW as TAPS, Dims};
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::clock::Clock;
use super::layers::{FeedForward, Inner, Norm, SelfAttention};
use super::model::Stop;
use super::rooms::EncoderRoom;
use super::tables::Tables;
use super::weights::{Counts, Delivery, Undelivered};
use crate::driver::{Gpu, GpuError, Seen, View, download, upload};
use crate::kernels::{Activate, Firsts, Settle, Unfold, Window, WindowAttention, Windows};

/// The encoder's weights.
pub(super) struct Encoder {
    bins: usize,
    width: usize,
    widest: usize,
    stem: [Inner; 2],
    positions: View<f32>,
    layers: Vec<Layer>,
    norm: Norm,
}

#[derive(Clone, Copy)]
struct Layer {
    attention: SelfAttention,
    feed_forward: FeedForward,
}

impl Encoder {
    pub(super) fn count(counts: &mut Counts, dims: &Dims) {
        let width = dims.audio_width;
        Inner::count(counts, width, TAPS * dims.mel_bins);
        Inner::count(counts, width, TAPS * width);
        counts.float(dims.audio_context * width);
        for _ in 0..dims.audio_layers {
            SelfAttention::count(counts, width);
            FeedForward::count(counts, width, dims.audio_feed_forward);
        }
        Norm::count(counts, width);
    }

    pub(super) fn load(delivery: &mut Delivery<'_>, dims: &Dims) -> Result<Self, Undelivered> {
        let width = dims.audio_width;
        let stem = [
            Inner::load_convolution(delivery, "encoder.conv1", width, dims.mel_bins)?,
            Inner::load_convolution(delivery, "encoder.conv2", width, width)?,
        ];
        let positions = delivery.read("encoder.embed_positions.weight", &[dims.audio_context, width])?;
        let positions = delivery.floats(&positions)?;
        let layer = |index: usize| -> Result<Layer, Undelivered> {
            let name = format!("encoder.layers.{index}");
            Ok(Layer {
                attention: SelfAttention::load(delivery, &name, width)?,
                feed_forward: FeedForward::load(delivery, &name, width, dims.audio_feed_forward)?,
            })
        };
        let layers = (0..dims.audio_layers).map(layer).collect::<Result<_, _>>()?;
        let norm = Norm::load(delivery, "encoder.layer_norm", width)?;
        let widest = (3 * width).max(dims.audio_feed_forward);
        Ok(Encoder { bins: dims.mel_bins, width, widest, stem, positions, layers, norm })
    }

    /// Encodes windows into `heard`, the rows of all of them one behind the other. Whether they are numbers is all that the host is
    /// told of them.
    pub(super) fn run(
        &self,
        gpu: &Arc<dyn Gpu>,
        room: &mut EncoderRoom,
        tables: &mut Tables,
        windows: &[Mel],
        heard: View<f16>,
        work: &mut Work<'_>,
    ) -> Result<Seen, Stop> {
        let Encoder { bins, width, .. } = *self;
        let frames: usize = windows.iter().map(|mel| mel.frames).sum();
        let rows = frames / 2;
        let mel = room.mel.ensure(gpu, frames * bins)?;
        let unfolded = room.unfolded.ensure(gpu, (frames * TAPS * bins).max(rows * TAPS * width))?;
        let once = room.once.ensure(gpu, frames * width)?;
        let x = room.x.ensure(gpu, rows * width)?;
        let normed = room.normed.ensure(gpu, rows * width)?;
        let wide = room.wide.ensure(gpu, rows * self.widest)?;
        let firsts = room.firsts.ensure(gpu, rows)?;
        let [of_frames, of_rows] = place(tables, windows);
        tables.send(&**gpu)?;
        let (of_frames, of_rows) = (of_frames.on(tables), of_rows.on(tables));
        let gpu: &dyn Gpu = &**gpu;

        let mut clock = Clock::start(gpu)?;
        upload(gpu, mel, &rounded(windows))?;
        self.convolve(gpu, [mel, unfolded, once], normed, [of_frames, of_rows], [frames, rows])?;
        gpu.run(&Settle { input: normed, positions: self.positions, out: x, windows: of_rows, width }.into())?;
        clock.lap(Stage::Stem)?;
        show(gpu, x, Stage::Stem, work)?;

        let attended = once.first(rows * width);
        for (index, layer) in self.layers.iter().enumerate() {
            work.proceed()?;
            let SelfAttention { norm, queries_keys_values, out } = &layer.attention;
            let three = wide.first(rows * 3 * width);
            norm.apply(gpu, x, None, normed)?;
            queries_keys_values.apply(gpu, normed, three)?;
            gpu.run(&WindowAttention { input: three, out: attended, windows: of_rows, width }.into())?;
            out.add(gpu, attended, x)?;
            clock.lap(Stage::EncoderAttention(index))?;
            show(gpu, x, Stage::EncoderAttention(index), work)?;

            layer.feed_forward.apply(gpu, x, normed, wide)?;
            clock.lap(Stage::EncoderFeedForward(index))?;
            show(gpu, x, Stage::EncoderFeedForward(index), work)?;
        }
        self.norm.apply(gpu, x, None, heard)?;
        gpu.run(&Firsts { input: heard, out: firsts, width }.into())?;
        clock.lap(Stage::EncoderNorm)?;
        let mut told = vec![0.0; rows];
        let seen = download(gpu, firsts, &mut told)?;
        clock.settle(&mut work.receipt)?;
        // The last norm spreads what is not a number over its whole row, so one value of each row tells.
        if told.iter().any(|value| !value.is_finite()) {
            return Err(BackendError::NotANumber { place: "encoder output" }.into());
        }
        Ok(seen)
    }

    /// Both convolutions, each as a product of unfolded rows.
    fn convolve(
        &self,
        gpu: &dyn Gpu,
        [mel, unfolded, once]: [View<f16>; 3],
        out: View<f16>,
        [of_frames, of_rows]: [Windows; 2],
        [frames, rows]: [usize; 2],
    ) -> Result<(), GpuError> {
        let Encoder { bins, width, .. } = *self;
        let input = unfolded.first(frames * TAPS * bins);
        gpu.run(&Unfold { input: mel, out: input, windows: of_frames, channels: bins, stride: 1 }.into())?;
        self.stem[0].apply(gpu, input, once)?;
        gpu.run(&Activate { values: once }.into())?;
        let input = unfolded.first(rows * TAPS * width);
        gpu.run(&Unfold { input: once, out: input, windows: of_rows, channels: width, stride: 2 }.into())?;
        self.stem[1].apply(gpu, input, out)
    }
}

/// Windows of a batch whose table was put down.
struct Placed {
    table: super::tables::Place,
    longest: usize,
}

impl Placed {
    fn on(&self, tables: &Tables) -> Windows {
        Windows { table: tables.view(self.table), longest: self.longest }
    }
}

/// Numbers of the tables of a batch.
pub(super) fn table_room(windows: usize) -> usize {
    Tables::needed(&[4 * windows, 4 * windows])
}

/// The windows as the first convolution sees them, frames of frames, and as everything behind it does, rows of frames.
fn place(tables: &mut Tables, windows: &[Mel]) -> [Placed; 2] {
    tables.clear();
    let longest = windows.iter().map(|mel| mel.frames).max().unwrap_or(0);
    [1, 2].map(|stride| {
        let mut first = 0;
        let numbers = windows.iter().flat_map(|mel| {
            let (first_out, rows_out) = (first / stride, mel.frames / stride);
            let window = Window { first_in: first, rows_in: mel.frames, first_out, rows_out };
            first += mel.frames;
            window.numbers()
        });
        let numbers: Vec<i32> = numbers.collect();
        Placed { table: tables.put_signed(numbers), longest: longest / stride }
    })
}

/// The windows' log-mel in f16, one behind the other.
fn rounded(windows: &[Mel]) -> Vec<f16> {
    let count = windows.iter().map(|mel| mel.values.len()).sum();
    let mut halves = vec![f16::ZERO; count];
    let mut rest = halves.as_mut_slice();
    for mel in windows {
        let (these, behind) = rest.split_at_mut(mel.values.len());
        these.convert_from_f32_slice(&mel.values);
        rest = behind;
    }
    halves
}

/// Shows a stage to whoever watches; only then does it wait.
fn show(gpu: &dyn Gpu, x: View<f32>, stage: Stage, work: &mut Work<'_>) -> Result<(), GpuError> {
    if work.watch.is_some() {
        let mut values = vec![0.0; x.len()];
        download(gpu, x, &mut values)?;
        work.show(stage, &values);
    }
    Ok(())
}
