//! The decoder at work: lanes on windows, a step for all of them at once.
//!
//! A step that gives every lane one token and keeps no attention is recorded the second time it has the same shape, and asked for as
//! one graph from then on: hundreds of launches cost the host more than they cost the device. Everything that differs from step to
//! step stands in tables whose places depend on the shape alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use amanuensis::backend::{BackendError, Choices, CrossAttention, Decoding, Feed, Logits, Stage, Wanted, Work};
use half::f16;

use super::choosing::{Given, Plan, Read};
use super::chosen::Chosen;
use super::clock::Clock;
use super::decoder::{Decoder, Step};
use super::lanes::Lanes;
use super::model::{Bench, CudaModel, Stop};
use super::rooms::DecoderRoom;
use super::tables::{Place, Tables};
use crate::driver::{Buffer, Gpu, GpuError, Graph, View, download};
use crate::kernels::{Copies, CopyLanes, HEAD_WIDTH, Kept, Split};

/// Keys and values of the encoded windows.
pub(super) struct Heard {
    /// `[layer][rows][2][width]`.
    pub(super) buffer: Buffer<f16>,
    /// Rows of all windows.
    pub(super) rows: usize,
    /// First row and rows of each window.
    pub(super) windows: Vec<(usize, usize)>,
}

/// What lanes remember.
pub(super) struct Pool {
    /// `[slot][layer][position][2][width]`.
    pub(super) buffer: Buffer<f16>,
    pub(super) slots: usize,
}

/// The decoder at work.
pub(super) struct CudaDecoding<'a> {
    model: &'a CudaModel,
    heard: Option<Heard>,
    pool: Option<Pool>,
    lanes: Lanes,
    tables: Tables,
    /// Steps by their number of rows, if they were seen before.
    steps: BTreeMap<usize, Known>,
}

/// A step that was seen before.
struct Known {
    /// Where it works; elsewhere it cannot be asked for.
    places: Vec<u64>,
    /// As it was recorded, the second time.
    graph: Option<Graph>,
}

/// What a step is asked, in numbers.
struct Size {
    rows: usize,
    reads: usize,
    /// Distinct heads that are kept.
    kept: usize,
    /// Positions of the longest window.
    longest: usize,
}

/// The tables of a step.
struct Placed {
    fed: Place,
    places: Place,
    own: Place,
    cross: Place,
    picked: Place,
    /// What is asked of the rows that the choice is made in.
    asked: Place,
    /// For each layer the places of its heads, where any are kept.
    heads: Vec<Option<Place>>,
    copies: Vec<(Place, usize)>,
}

impl<'a> CudaDecoding<'a> {
    pub(super) fn new(model: &'a CudaModel, heard: Heard, pool: Option<Pool>) -> Result<Self, GpuError> {
        // Nothing may be allocated while another decoding records a step.
        let _bench = model.bench();
        // A handful of lanes with a prompt: more are made room for when they come.
        let tables = Tables::new(&model.gpu, 16 * model.dims.text_context)?;
        Ok(CudaDecoding { model, heard: Some(heard), pool, lanes: Lanes::default(), tables, steps: BTreeMap::new() })
    }

    /// Rows of the pool from one slot to the next.
    fn slot_rows(&self) -> usize {
        self.model.decoder.layers() * self.model.decoder.context
    }

    /// First row and rows of a window of what was heard.
    fn window(&self, window: usize) -> (usize, usize) {
        self.heard.as_ref().and_then(|heard| heard.windows.get(window)).copied().unwrap_or((0, 0))
    }

    /// The pool, with a slot for every lane. What lanes remember moves with it.
    fn pool(&mut self) -> Result<View<f16>, Stop> {
        let (gpu, slots) = (&self.model.gpu, self.lanes.slots().max(1));
        if let Some(pool) = self.pool.as_ref().filter(|pool| pool.slots >= slots) {
            return Ok(pool.buffer.view());
        }
        if self.lanes.live.iter().all(|lane| lane.length == 0) {
            // There is nothing to be moved, and the old memory goes first, so that both need not fit.
            self.pool = None;
        }
        let numbers = slots * self.slot_rows() * 2 * self.model.decoder.width;
        let (needs, free) = (2 * numbers as u64, gpu.free_memory()?);
        if needs > free {
            return self.model.refuse(&format!("what {slots} lanes remember"), needs, free);
        }
        let buffer = Buffer::new(gpu, numbers, "what lanes remember")?;
        if let Some(smaller) = &self.pool {
            let (from, into) = (smaller.buffer.view(), buffer.view());
            gpu.copy(from.address(), into.address(), from.bytes())?;
            // The old memory must not go before it is copied.
            gpu.wait()?;
        }
        let view = buffer.view();
        self.pool = Some(Pool { buffer, slots });
        Ok(view)
    }

    /// Refuses a step that finds no room to work in, before any of it is taken.
    fn afford(&self, room: &DecoderRoom, size: &Size) -> Result<(), Stop> {
        let (model, &Size { rows, reads, kept, longest }) = (self.model, size);
        let Decoder { width, widest, vocabulary, .. } = model.decoder;
        let fed = room.x.growth(rows * width) + room.normed.growth(rows * width) + room.attended.growth(rows * width);
        let read = room.last.growth(reads * width) + room.logits.growth(reads * vocabulary);
        let needs = fed + room.wide.growth(rows * widest) + read + room.scores.growth(rows * kept * longest);
        if needs == 0 {
            return Ok(());
        }
        let free = model.gpu.free_memory()?;
        if needs <= free {
            return Ok(());
        }
        model.refuse(&format!("a step of {rows} tokens in {} lanes", self.lanes.live.len()), needs, free)
    }

    /// Puts down what a step must be told.
    fn place(&mut self, feeds: &[Feed<'_>], heads: &[Option<Vec<i32>>], plan: &Plan) -> Result<Placed, GpuError> {
        let rows: usize = feeds.iter().map(|feed| feed.tokens.len()).sum();
        let mut needed = vec![2 * rows, rows, 2 * rows, 2 * rows, plan.order.len(), plan.asked.len()];
        needed.extend(heads.iter().flatten().map(Vec::len));
        needed.extend(self.lanes.pending.iter().map(|copies| 4 * copies.len()));
        let room = Tables::needed(&needed);
        if room > self.tables.room() {
            self.tables = Tables::new(&self.model.gpu, room.next_power_of_two())?;
        }
        self.tables.clear();

        let slot_rows = self.slot_rows();
        let lanes = &self.lanes.live;
        let each = || {
            let pairs = lanes.iter().zip(feeds);
            pairs.flat_map(|(lane, feed)| {
                feed.tokens.iter().enumerate().map(move |(index, token)| (lane, index, *token))
            })
        };
        let fed: Vec<usize> = each().flat_map(|(lane, index, token)| [token as usize, lane.length + index]).collect();
        let places: Vec<usize> = each().map(|(lane, index, _)| lane.slot * slot_rows + lane.length + index).collect();
        let own: Vec<usize> =
            each().flat_map(|(lane, index, _)| [lane.slot * slot_rows, lane.length + index + 1]).collect();
        let cross: Vec<usize> = each().flat_map(|(lane, ..)| <[usize; 2]>::from(self.window(lane.window))).collect();
        let mut read = Vec::with_capacity(plan.order.len());
        let mut first = 0;
        for feed in feeds {
            read.extend(feed.read.iter().map(|index| first + index));
            first += feed.tokens.len();
        }
        let picked: Vec<usize> = plan.order.iter().map(|place| read[*place]).collect();
        // Tables of a fixed place for a fixed shape come first.
        let tables = &mut self.tables;
        let [fed, places, own, cross, picked] = [fed, places, own, cross, picked].map(|numbers| tables.put(numbers));
        let asked = tables.put_signed(plan.asked.iter().copied());
        let heads =
            heads.iter().map(|heads| heads.as_ref().map(|heads| tables.put_signed(heads.iter().copied()))).collect();
        let copies = self.lanes.pending.iter().map(|copies| {
            let longest = copies.iter().map(|copy| copy.rows).max().unwrap_or(0);
            let numbers = copies.iter().flat_map(|copy| [copy.from * slot_rows, copy.into * slot_rows, copy.rows, 0]);
            (tables.put(numbers), longest)
        });
        let copies = copies.collect();
        tables.send(&*self.model.gpu)?;
        Ok(Placed { fed, places, own, cross, picked, asked, heads, copies })
    }

    /// Copies what lanes that go on twice remember.
    fn copy(&mut self, placed: &Placed, pool: View<f16>) -> Result<(), GpuError> {
        let (layers, layer_rows, width) =
            (self.model.decoder.layers(), self.model.decoder.context, self.model.decoder.width);
        for (place, longest) in &placed.copies {
            let copies = Copies { table: self.tables.view(*place), longest: *longest };
            self.model.gpu.run(&CopyLanes { pool, copies, layers, layer_rows, width }.into())?;
        }
        self.lanes.pending.clear();
        Ok(())
    }

    /// Memory and tables of a step.
    fn step_in(
        &self,
        bench: &mut Bench,
        size: &Size,
        placed: &Placed,
        pool: View<f16>,
    ) -> Result<(Step, View<f32>), GpuError> {
        let (gpu, decoder, room) = (&self.model.gpu, &self.model.decoder, &mut bench.decoder);
        let (rows, width) = (size.rows, decoder.width);
        let scores = room.scores.ensure(gpu, rows * size.kept * size.longest)?;
        let kept = |heads: &Option<Place>| {
            let heads = self.tables.view((*heads)?);
            Some(Kept { heads, scores, places: size.kept, longest: size.longest })
        };
        let splits = self.splits(room, rows)?;
        let (heard, heard_rows) = match &self.heard {
            Some(heard) => (heard.buffer.view(), heard.rows),
            None => {
                return Err(GpuError::Misuse { what: "a step", wanted: String::new(), there: "nothing heard".into() });
            }
        };
        let step = Step {
            fed: self.tables.view(placed.fed),
            places: self.tables.view(placed.places),
            own: self.tables.view(placed.own),
            cross: self.tables.view(placed.cross),
            pool,
            heard,
            heard_rows,
            x: room.x.ensure(gpu, rows * width)?,
            normed: room.normed.ensure(gpu, rows * width)?,
            wide: room.wide.ensure(gpu, rows * decoder.widest)?,
            attended: room.attended.ensure(gpu, rows * width)?,
            splits,
            kept: placed.heads.iter().map(kept).collect(),
        };
        Ok((step, scores))
    }

    /// How blocks share the keys of so many rows, by what there can be at most: a step that is asked for again has the same parts,
    /// however much its lanes have said and whatever they listen to.
    fn splits(&self, room: &mut DecoderRoom, rows: usize) -> Result<[Option<Split>; 2], GpuError> {
        let (gpu, heads) = (&self.model.gpu, self.model.decoder.width / HEAD_WIDTH);
        let heard = self.heard.iter().flat_map(|heard| &heard.windows).map(|window| window.1).max().unwrap_or(0);
        let multiprocessors = gpu.facts().multiprocessors as usize;
        let parts = [self.model.decoder.context, heard].map(|keys| Split::parts(multiprocessors, rows, heads, keys));
        let most = parts[0].max(parts[1]);
        if most == 1 {
            return Ok([None; 2]);
        }
        let (partials, arrived) = Split::room(rows, heads, most);
        let partials = room.partials.ensure(gpu, partials)?;
        let arrived = room.arrived.ensure_zeros(gpu, arrived)?;
        Ok(parts.map(|parts| (parts > 1).then_some(Split { parts, partials, arrived })))
    }

    /// Asks for all layers: one by one, or as they were recorded.
    fn layers(&mut self, step: &Step, repeats: bool) -> Result<(), GpuError> {
        let gpu: Arc<dyn Gpu> = self.model.gpu.clone();
        if !repeats {
            return self.model.decoder.run(&*gpu, step);
        }
        let places = [step.fed.address(), step.pool.address(), step.heard.address(), step.x.address()];
        let halves = [step.normed, step.wide, step.attended].map(View::address);
        let parts = step.splits.iter().flatten().flat_map(|split| [split.partials.address(), split.arrived.address()]);
        let places: Vec<u64> = places.into_iter().chain(halves).chain(parts).collect();
        let rows = step.fed.len() / 2;
        match self.steps.get_mut(&rows) {
            Some(seen) if seen.places == places => {
                let graph = match seen.graph {
                    Some(graph) => graph,
                    None => *seen.graph.insert(gpu.record(&mut |gpu| self.model.decoder.run(gpu, step))?),
                };
                gpu.replay(graph)
            }
            _ => {
                let before = self.steps.insert(rows, Known { places, graph: None });
                before.and_then(|seen| seen.graph).into_iter().for_each(|graph| gpu.discard(graph));
                self.model.decoder.run(&*gpu, step)
            }
        }
    }

    /// One step: every lane's new tokens through all layers, then what is to be given of the logits that are read.
    fn run(
        &mut self,
        feeds: &[Feed<'_>],
        heads: &[(usize, usize)],
        mut given: Given<'_>,
        attention: &mut CrossAttention,
        work: &mut Work<'_>,
    ) -> Result<(), Stop> {
        let model = self.model;
        let gpu = &*model.gpu;
        let chosen = Chosen::of(heads, model.decoder.layers(), model.dims.text_heads);
        let size = Size {
            rows: feeds.iter().map(|feed| feed.tokens.len()).sum(),
            reads: feeds.iter().map(|feed| feed.read.len()).sum(),
            kept: chosen.distinct.len(),
            longest: self.lanes.live.iter().map(|lane| self.window(lane.window).1).max().unwrap_or(0),
        };
        if size.rows == 0 {
            given.logits().prepare(0, model.decoder.vocabulary);
            return Ok(());
        }
        let mut bench = model.bench();
        self.afford(&bench.decoder, &size)?;
        let pool = self.pool()?;
        let plan = given.plan(&model.gpu, &mut bench.sets, size.reads)?;
        let placed = self.place(feeds, &chosen.tables, &plan)?;
        self.copy(&placed, pool)?;
        let (step, scores) = self.step_in(&mut bench, &size, &placed, pool)?;
        let repeats = heads.is_empty() && feeds.iter().all(|feed| feed.tokens.len() == 1);
        let mut clock = Clock::start(gpu)?;
        self.layers(&step, repeats)?;
        clock.lap(Stage::Decoder)?;
        let [picked, asked] = [placed.picked, placed.asked].map(|place| self.tables.view(place));
        let read = Read { x: step.x, picked, asked };
        let (found, seen) = plan.read(model, &mut bench.decoder, read, &mut given, &mut clock)?;
        given.hand_over(&plan, &found)?;
        if size.kept > 0 {
            let mut kept = vec![0.0; scores.len()];
            download(gpu, scores, &mut kept)?;
            self.hand_over(&kept, &size, feeds, &chosen, attention);
        }
        clock.settle(&mut work.receipt)?;
        for (lane, feed) in self.lanes.live.iter_mut().zip(feeds) {
            lane.length += feed.tokens.len();
        }
        work.receipt.tokens += size.rows as u64;
        work.receipt.ran_on(seen.device());
        Ok(())
    }

    /// Whether lanes can be given so much.
    ///
    /// # Panics
    ///
    /// If the feeds or the heads do not fit the lanes and the model.
    fn accept(&self, feeds: &[Feed<'_>], heads: &[(usize, usize)], work: &Work<'_>) -> Result<(), BackendError> {
        work.proceed()?;
        let dims = &self.model.dims;
        assert_eq!(feeds.len(), self.lanes.live.len(), "one feed for each lane");
        let exists = |&(layer, head): &(usize, usize)| layer < dims.text_layers && head < dims.text_width / HEAD_WIDTH;
        assert!(heads.iter().all(exists), "a head that the decoder does not have among {heads:?}");
        let within = |feed: &Feed<'_>| feed.read.iter().all(|index| *index < feed.tokens.len());
        assert!(feeds.iter().all(within), "logits behind the tokens of a feed");
        let known = |feed: &Feed<'_>| feed.tokens.iter().all(|token| (*token as usize) < dims.vocabulary);
        assert!(feeds.iter().all(known), "a token that the model does not have");
        for (lane, feed) in self.lanes.live.iter().zip(feeds) {
            let tokens = lane.length + feed.tokens.len();
            if tokens > dims.text_context {
                return Err(BackendError::TooLong { tokens, limit: dims.text_context });
            }
        }
        Ok(())
    }

    /// Appends the scores that were kept, for every head as often as it was asked for.
    fn hand_over(
        &self,
        scores: &[f32],
        size: &Size,
        feeds: &[Feed<'_>],
        chosen: &Chosen,
        attention: &mut CrossAttention,
    ) {
        let mut first = 0;
        for (index, (lane, feed)) in self.lanes.live.iter().zip(feeds).enumerate() {
            let positions = self.window(lane.window).1;
            for row in first..first + feed.tokens.len() {
                for (head, place) in chosen.places.iter().enumerate() {
                    attention.push(index, head, &scores[(row * size.kept + place) * size.longest..][..positions]);
                }
            }
            first += feed.tokens.len();
        }
    }
}

impl Decoding for CudaDecoding<'_> {
    fn start(&mut self, windows: &[usize]) {
        let heard = self.heard.as_ref().map_or(0, |heard| heard.windows.len());
        assert!(windows.iter().all(|window| *window < heard), "windows {windows:?} of {heard}");
        self.lanes.start(windows);
    }

    fn attend(
        &mut self,
        feeds: &[Feed<'_>],
        heads: &[(usize, usize)],
        logits: &mut Logits,
        attention: &mut CrossAttention,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        self.accept(feeds, heads, work)?;
        let positions: Vec<usize> = self.lanes.live.iter().map(|lane| self.window(lane.window).1).collect();
        attention.prepare(&positions, heads.len());
        let model = self.model;
        self.run(feeds, heads, Given::Logits(logits), attention, work).map_err(|stop| model.stopped(stop))
    }

    fn choose(
        &mut self,
        feeds: &[Feed<'_>],
        wanted: &[Wanted<'_>],
        choices: &mut Choices,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        self.accept(feeds, &[], work)?;
        let reads: usize = feeds.iter().map(|feed| feed.read.len()).sum();
        assert_eq!(wanted.len(), reads, "something wanted of all logits that are read");
        let (model, given) = (self.model, Given::Choices(wanted, choices));
        self.run(feeds, &[], given, &mut CrossAttention::default(), work).map_err(|stop| model.stopped(stop))
    }

    fn keep(&mut self, parents: &[usize]) {
        self.lanes.keep(parents);
    }
}

impl Drop for CudaDecoding<'_> {
    fn drop(&mut self) {
        for graph in std::mem::take(&mut self.steps).into_values().filter_map(|seen| seen.graph) {
            self.model.gpu.discard(graph);
        }
        self.model.take_back(self.heard.take().map(|heard| heard.buffer), self.pool.take());
    }
}
