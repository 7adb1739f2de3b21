//! Several devices as one: each has the model, and the windows of a batch are dealt out among them.
//!
//! Which window is whose follows from how many there are and from nothing else, so a window is read where it was encoded. A lane
//! belongs to the device of its window. Every call goes to all devices at once, each in a thread of its own, and what comes back
//! is put into the order in which one device would have given it.

use std::ops::Range;
use std::thread;

use super::{
    Availability, Backend, BackendError, Choices, CrossAttention, Decoding, Encoded, Feed, Kept, Logits, Model,
    Receipt, Wanted, Work,
};
use crate::mel::Mel;
use crate::model::{Dims, ModelFile};

/// A backend made of several.
pub struct Several {
    name: &'static str,
    members: Vec<(String, Box<dyn Backend>)>,
}

impl Several {
    /// A backend of these, each with what an error calls it: `cuda:1`. `name` is that of all.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn new(name: &'static str, members: Vec<(String, Box<dyn Backend>)>) -> Self {
        assert!(!members.is_empty(), "a backend of none");
        Several { name, members }
    }
}

impl Backend for Several {
    fn name(&self) -> &'static str {
        self.name
    }

    fn probe(&self) -> Availability {
        let mut found = Vec::with_capacity(self.members.len());
        for (label, member) in &self.members {
            match member.probe() {
                Availability::Ready(text) => found.push(text),
                Availability::Absent(reason) => return Availability::Absent(format!("{label}: {reason}")),
            }
        }
        Availability::Ready(found.join("; "))
    }

    fn load(&self, file: &ModelFile) -> Result<Box<dyn Model>, BackendError> {
        let load = |(label, member): &(String, Box<dyn Backend>)| {
            let model = member.load(file).map_err(|error| named(label, error))?;
            Ok(Member { label: label.clone(), model })
        };
        let members = self.members.iter().map(load).collect::<Result<_, BackendError>>()?;
        Ok(Box::new(SeveralModel { members }))
    }
}

/// The same error, with the name of whose it is where it is a device's.
fn named(label: &str, error: BackendError) -> BackendError {
    match error {
        BackendError::Device { device, reason } => {
            BackendError::Device { device, reason: format!("{label}: {reason}") }
        }
        other => other,
    }
}

struct Member {
    label: String,
    model: Box<dyn Model>,
}

/// The model on each of several devices.
struct SeveralModel {
    members: Vec<Member>,
}

/// The run of windows of each member that has any, of so many.
fn runs(windows: usize, members: usize) -> impl Iterator<Item = Range<usize>> {
    let (each, more) = (windows / members, windows % members);
    let begin = move |member: usize| member * each + member.min(more);
    (0..members).map(move |member| begin(member)..begin(member + 1)).filter(|run| !run.is_empty())
}

/// Does something for every part at once, each under its member's name: all but the last in threads of their own. Work is noted once
/// all are done, and only if none failed; of several failures the first is told that is not the end of work that nobody wants.
fn at_once<P: Send, T: Send>(
    parts: Vec<(&str, P)>,
    work: &mut Work<'_>,
    each: impl Fn(P, &mut Work<'_>) -> Result<T, BackendError> + Sync,
) -> Result<Vec<T>, BackendError> {
    let (cancel, wanted_by) = (work.cancel, &work.wanted_by);
    let run = |label: &str, part: P| {
        let mut own = Work { wanted_by: wanted_by.clone(), ..Work::new(cancel) };
        let done = each(part, &mut own).map_err(|error| named(label, error));
        (done, own.receipt)
    };
    let done = thread::scope(|scope| {
        let mut parts = parts;
        let last = parts.pop();
        let run = &run;
        let begun: Vec<_> = parts.into_iter().map(|(label, part)| scope.spawn(move || run(label, part))).collect();
        let last = last.map(|(label, part)| run(label, part));
        let joined =
            begun.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.chain(last).collect::<Vec<_>>()
    });
    settle(done, work)
}

fn settle<T>(done: Vec<(Result<T, BackendError>, Receipt)>, work: &mut Work<'_>) -> Result<Vec<T>, BackendError> {
    let (mut results, mut receipt, mut cancelled) = (Vec::with_capacity(done.len()), Receipt::default(), false);
    let longest = done.iter().map(|(_, own)| own.spent()).max().unwrap_or_default();
    for (result, own) in done {
        match result {
            Ok(result) => results.push(result),
            Err(BackendError::Cancelled) => cancelled = true,
            Err(error) => return Err(error),
        }
        receipt.merge(&own);
    }
    if cancelled {
        return Err(BackendError::Cancelled);
    }
    receipt.beside += receipt.spent().saturating_sub(longest);
    work.receipt.merge(&receipt);
    Ok(results)
}

impl SeveralModel {
    /// What lies on the host, cut into the runs of the members.
    fn split(&self, encoded: &Encoded) -> Result<Vec<Encoded>, BackendError> {
        let width = self.dims().audio_width;
        let mut rest = encoded.of_host(width)?;
        let cut = |(_, run): (&Member, Range<usize>)| {
            let positions = encoded.positions[run].to_vec();
            let (values, behind) = rest.split_at(positions.iter().sum::<usize>() * width);
            rest = behind;
            Encoded::new(positions, values.to_vec())
        };
        Ok(self.dealt(encoded.positions.len()).map(cut).collect())
    }

    /// Every member that has windows of so many, with its run of them.
    fn dealt(&self, windows: usize) -> impl Iterator<Item = (&Member, Range<usize>)> {
        self.members.iter().zip(runs(windows, self.members.len()))
    }
}

impl Model for SeveralModel {
    fn dims(&self) -> &Dims {
        self.members[0].model.dims()
    }

    fn bytes(&self) -> u64 {
        self.members.iter().map(|member| member.model.bytes()).sum()
    }

    fn together(&self, windows: usize, lanes: usize) -> Result<usize, BackendError> {
        let share = windows.div_ceil(self.members.len());
        let each = self
            .members
            .iter()
            .map(|member| member.model.together(share, lanes).map_err(|error| named(&member.label, error)));
        let least = each.collect::<Result<Vec<_>, _>>()?.into_iter().min().unwrap_or(share);
        Ok(windows.min(least * self.members.len()))
    }

    fn encodes_beside(&self) -> bool {
        self.members.iter().all(|member| member.model.encodes_beside())
    }

    fn encode(&self, windows: &[Mel], work: &mut Work<'_>) -> Result<Encoded, BackendError> {
        if work.watch.is_some() || windows.is_empty() {
            // Whoever watches is shown the stages of one window after the other.
            let first = &self.members[0];
            let encoded = first.model.encode(windows, work).and_then(Encoded::on_host);
            return encoded.map_err(|error| named(&first.label, error));
        }
        let parts = self.dealt(windows.len()).map(|(member, run)| (member.label.as_str(), (member, &windows[run])));
        let encode = |(member, windows): (&Member, &[Mel]), work: &mut Work<'_>| member.model.encode(windows, work);
        let parts = at_once(parts.collect(), work, encode)?;
        let positions = parts.iter().flat_map(|part| part.positions.iter().copied()).collect();
        Ok(Encoded::kept(positions, Parts(parts)))
    }

    fn begin<'a>(&'a self, encoded: &Encoded, work: &mut Work<'_>) -> Result<Box<dyn Decoding + 'a>, BackendError> {
        if encoded.positions.is_empty() {
            return self.members[0].model.begin(encoded, work);
        }
        let brought;
        let of_members: &[Encoded] = match encoded.keeps::<Parts>() {
            Some(Parts(parts)) => parts,
            None => {
                brought = self.split(encoded)?;
                &brought
            }
        };
        let runs = self.dealt(encoded.positions.len()).map(|(_, run)| run.len());
        if !of_members.iter().map(|part| part.positions.len()).eq(runs) {
            let reason = "it is kept by other devices than these".to_owned();
            return Err(BackendError::Foreign { reason });
        }
        let dealt = self.dealt(encoded.positions.len()).zip(of_members);
        let parts = dealt.map(|((member, run), part)| (member.label.as_str(), (member, run, part))).collect();
        let begin = |(member, windows, part): (&'a Member, Range<usize>, &Encoded), work: &mut Work<'_>| {
            let decoding = member.model.begin(part, work)?;
            let (logits, choices) = Default::default();
            Ok(Part { label: &member.label, windows, decoding, lanes: 0, logits, choices })
        };
        let parts = at_once(parts, work, begin)?;
        Ok(Box::new(SeveralDecoding { parts, lanes: Vec::new(), vocabulary: self.dims().vocabulary }))
    }
}

/// What the members heard, each its own windows.
struct Parts(Vec<Encoded>);

impl Kept for Parts {
    fn values(&self) -> Result<Vec<f32>, BackendError> {
        let mut all = Vec::new();
        for part in &self.0 {
            all.extend_from_slice(&part.values()?);
        }
        Ok(all)
    }
}

/// What one member decodes.
struct Part<'a> {
    label: &'a str,
    /// The windows of all that are its own.
    windows: Range<usize>,
    decoding: Box<dyn Decoding + 'a>,
    /// How many lanes it has.
    lanes: usize,
    // What came of its last step, kept for their memory.
    logits: Logits,
    choices: Choices,
}

struct SeveralDecoding<'a> {
    parts: Vec<Part<'a>>,
    /// The part of each lane. A part has its lanes in the same order.
    lanes: Vec<usize>,
    vocabulary: usize,
}

impl SeveralDecoding<'_> {
    /// Deals something out that every lane has some of, to the parts of the lanes.
    fn deal<T>(&self, things: impl Iterator<Item = (usize, T)>) -> Vec<Vec<T>> {
        let mut dealt: Vec<Vec<T>> = self.parts.iter().map(|_| Vec::new()).collect();
        things.for_each(|(lane, thing)| dealt[self.lanes[lane]].push(thing));
        dealt
    }

    /// For each row that is read, the part that has it.
    fn readers(&self, feeds: &[Feed<'_>]) -> Vec<usize> {
        let each = self.lanes.iter().zip(feeds);
        each.flat_map(|(part, feed)| std::iter::repeat_n(*part, feed.read.len())).collect()
    }
}

impl Decoding for SeveralDecoding<'_> {
    fn start(&mut self, windows: &[usize]) {
        let whose = |window: &usize| {
            let part = self.parts.iter().position(|part| part.windows.contains(window));
            part.unwrap_or_else(|| panic!("window {window} was not encoded"))
        };
        self.lanes = windows.iter().map(whose).collect();
        let dealt = self.deal(windows.iter().copied().enumerate());
        for (part, windows) in self.parts.iter_mut().zip(dealt) {
            let own: Vec<usize> = windows.into_iter().map(|window| window - part.windows.start).collect();
            part.lanes = own.len();
            part.decoding.start(&own);
        }
    }

    fn choose(
        &mut self,
        feeds: &[Feed<'_>],
        wanted: &[Wanted<'_>],
        choices: &mut Choices,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        assert_eq!(feeds.len(), self.lanes.len(), "one feed for each lane");
        let readers = self.readers(feeds);
        assert_eq!(wanted.len(), readers.len(), "something wanted of all logits that are read");
        let mut own_wanted: Vec<Vec<Wanted<'_>>> = self.parts.iter().map(|_| Vec::new()).collect();
        wanted.iter().zip(&readers).for_each(|(wanted, part)| own_wanted[*part].push(wanted.clone()));
        let own_feeds = self.deal(feeds.iter().copied().enumerate());
        let parts = self.parts.iter_mut().zip(own_feeds).zip(own_wanted).filter(|((part, _), _)| part.lanes > 0);
        let parts = parts.map(|((part, feeds), wanted)| (part.label, (part, feeds, wanted))).collect();
        type Own<'p, 'a, 'f> = (&'p mut Part<'a>, Vec<Feed<'f>>, Vec<Wanted<'f>>);
        at_once(parts, work, |(part, feeds, wanted): Own<'_, '_, '_>, work| {
            part.decoding.choose(&feeds, &wanted, &mut part.choices, work)
        })?;
        let mut found: Vec<&mut Choices> = self.parts.iter_mut().map(|part| &mut part.choices).collect();
        choices.gather(&mut found, &readers);
        Ok(())
    }

    fn attend(
        &mut self,
        feeds: &[Feed<'_>],
        heads: &[(usize, usize)],
        logits: &mut Logits,
        attention: &mut CrossAttention,
        work: &mut Work<'_>,
    ) -> Result<(), BackendError> {
        assert_eq!(feeds.len(), self.lanes.len(), "one feed for each lane");
        let readers = self.readers(feeds);
        let own_feeds = self.deal(feeds.iter().copied().enumerate());
        let parts = self.parts.iter_mut().zip(own_feeds).enumerate().filter(|(_, (part, _))| part.lanes > 0);
        let parts = parts.map(|(number, (part, feeds))| (part.label, (number, part, feeds))).collect();
        type Own<'p, 'a, 'f> = (usize, &'p mut Part<'a>, Vec<Feed<'f>>);
        let attended = at_once(parts, work, |(number, part, feeds): Own<'_, '_, '_>, work| {
            let mut attention = CrossAttention::default();
            part.decoding.attend(&feeds, heads, &mut part.logits, &mut attention, work)?;
            Ok((number, attention))
        })?;

        let vocabulary = self.vocabulary;
        let rows = logits.prepare(readers.len(), vocabulary).chunks_exact_mut(vocabulary);
        let mut next = vec![0; self.parts.len()];
        for (into, part) in rows.zip(readers) {
            into.copy_from_slice(self.parts[part].logits.row(next[part]));
            next[part] += 1;
        }

        // Where each lane is among those of its part, and what that part's lanes attended to.
        let mut counts = vec![0; self.parts.len()];
        let mut places = Vec::with_capacity(self.lanes.len());
        for part in &self.lanes {
            let own = attended.iter().find(|(number, _)| number == part).map(|(_, attention)| attention);
            places.extend(own.map(|own| (own, counts[*part])));
            counts[*part] += 1;
        }
        let positions: Vec<usize> = places.iter().map(|(own, lane)| own.positions(*lane)).collect();
        attention.prepare(&positions, heads.len());
        for (lane, (own, place)) in places.into_iter().enumerate() {
            for head in 0..heads.len() {
                let rows = own.rows(place, head).chunks_exact(positions[lane].max(1));
                rows.for_each(|row| attention.push(lane, head, row));
            }
        }
        Ok(())
    }

    fn keep(&mut self, parents: &[usize]) {
        let mut counts = vec![0; self.parts.len()];
        let place = |part: &usize| {
            counts[*part] += 1;
            (*part, counts[*part] - 1)
        };
        let places: Vec<(usize, usize)> = self.lanes.iter().map(place).collect();
        let mut own: Vec<Vec<usize>> = self.parts.iter().map(|_| Vec::new()).collect();
        parents.iter().for_each(|parent| own[places[*parent].0].push(places[*parent].1));
        self.lanes = parents.iter().map(|parent| places[*parent].0).collect();
        for (part, parents) in self.parts.iter_mut().zip(own) {
            part.lanes = parents.len();
            part.decoding.keep(&parents);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::backend::Stage;

    #[test]
    fn windows_are_dealt_out_in_runs_as_equal_as_can_be() {
        let of = |windows, members| runs(windows, members).collect::<Vec<_>>();
        assert_eq!(of(7, 3), [0..3, 3..5, 5..7]);
        assert_eq!(of(6, 2), [0..3, 3..6]);
        assert_eq!(of(5, 4), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!((of(1, 4).len(), of(0, 2).len()), (1, 0));
    }

    #[test]
    fn what_several_did_at_once_took_as_long_as_the_longest() {
        let did = |seconds| {
            let mut receipt = Receipt::default();
            receipt.add(Stage::Stem, Duration::from_secs(seconds));
            (Ok(seconds), receipt)
        };
        let never = AtomicBool::new(false);
        let mut work = Work::new(&never);
        assert_eq!(settle(vec![did(3), did(5), did(4)], &mut work).expect("none failed"), [3, 5, 4]);
        assert_eq!(work.receipt.spent(), Duration::from_secs(5));
        assert_eq!(work.receipt.beside, Duration::from_secs(7));
    }
}
