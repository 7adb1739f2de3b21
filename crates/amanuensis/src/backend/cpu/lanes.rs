//! Lanes: the sequences of tokens that are being continued, and the room that their keys and values lie in.

use amanuensis_kernels::Past;

/// One sequence of tokens.
pub(super) struct Lane {
    /// The window it listens to.
    pub(super) window: usize,
    /// Keys and values of the tokens it has seen, one entry for each layer.
    pub(super) said: Vec<Past>,
}

impl Lane {
    /// Tokens it has seen.
    pub(super) fn length(&self) -> usize {
        self.said.first().map_or(0, Past::len)
    }
}

/// The lanes at work, and the room of those that ended: it is megabytes, and every new page of it costs.
#[derive(Default)]
pub(super) struct Lanes {
    pub(super) live: Vec<Lane>,
    spare: Vec<Vec<Past>>,
}

impl Lanes {
    /// No lanes, but the room of others.
    pub(super) fn with(spare: Vec<Vec<Past>>) -> Self {
        Lanes { live: Vec::new(), spare }
    }

    /// Ends all lanes; what is left is their room.
    pub(super) fn leave(&mut self) -> Vec<Vec<Past>> {
        self.spare.extend(self.live.drain(..).map(|lane| lane.said));
        std::mem::take(&mut self.spare)
    }

    /// One empty lane for each window; `room` makes the keys and values of a lane where no old ones are left.
    pub(super) fn start(&mut self, windows: &[usize], room: impl Fn() -> Vec<Past>) {
        self.spare.extend(self.live.drain(..).map(|lane| lane.said));
        let spare = &mut self.spare;
        self.live.extend(windows.iter().map(|&window| {
            let mut said = spare.pop().unwrap_or_else(&room);
            said.iter_mut().for_each(|past| past.truncate(0));
            Lane { window, said }
        }));
    }

    /// Lane `i` goes on from what lane `parents[i]` was. A parent moves to the first of its children and is copied for
    /// the others, into the room of lanes that ended.
    pub(super) fn keep(&mut self, parents: &[usize]) {
        let count = self.live.len();
        assert!(parents.iter().all(|parent| *parent < count), "parents {parents:?} of {count} lanes");
        let mut before: Vec<Option<Lane>> = self.live.drain(..).map(Some).collect();
        let mut kept: Vec<Option<Lane>> = parents.iter().map(|&parent| before[parent].take()).collect();
        self.spare.extend(before.into_iter().flatten().map(|lane| lane.said));
        for child in 0..parents.len() {
            if kept[child].is_none() {
                // The first child of the same parent stands before this one and has its lane.
                let eldest =
                    parents.iter().position(|parent| *parent == parents[child]).and_then(|at| kept[at].as_ref());
                kept[child] = eldest.map(|eldest| copy(eldest, self.spare.pop()));
            }
        }
        self.live.extend(kept.into_iter().flatten());
    }
}

fn copy(lane: &Lane, room: Option<Vec<Past>>) -> Lane {
    let said = match room {
        Some(mut room) => {
            // Only the positions held are copied.
            room.clone_from(&lane.said);
            room
        }
        None => lane.said.clone(),
    };
    Lane { window: lane.window, said }
}

#[cfg(test)]
mod tests {
    use amanuensis_kernels::{Isa, Kernels, Precision};

    use super::*;

    fn room() -> Vec<Past> {
        let kernels = Kernels::new(Isa::Scalar).unwrap();
        (0..2).map(|_| Past::new(kernels, Precision::F32, 1, 4, 8)).collect()
    }

    fn lanes(count: usize) -> Lanes {
        let mut lanes = Lanes::default();
        lanes.start(&(0..count).collect::<Vec<_>>(), room);
        lanes
    }

    /// Where the keys and values of each lane lie.
    fn places(lanes: &Lanes) -> Vec<*const Past> {
        lanes.live.iter().map(|lane| lane.said.as_ptr()).collect()
    }

    fn windows(lanes: &Lanes) -> Vec<usize> {
        lanes.live.iter().map(|lane| lane.window).collect()
    }

    #[test]
    fn a_permutation_copies_nothing() {
        let mut lanes = lanes(4);
        let before = places(&lanes);
        for parents in [[0, 1, 2, 3], [3, 1, 0, 2]] {
            lanes.keep(&parents);
        }
        assert_eq!(places(&lanes), [3, 1, 0, 2].map(|lane| before[lane]));
        assert_eq!(windows(&lanes), [3, 1, 0, 2]);
    }

    #[test]
    fn what_is_copied_goes_where_a_lane_ended() {
        let mut lanes = lanes(3);
        let before = places(&lanes);
        lanes.keep(&[1, 1, 0]);
        assert_eq!(places(&lanes), [1, 2, 0].map(|lane| before[lane]));
        assert_eq!(windows(&lanes), [1, 1, 0]);
    }

    #[test]
    fn room_outlives_the_lanes_that_were_dropped() {
        let mut lanes = lanes(3);
        let mut before = places(&lanes);
        lanes.keep(&[2]);
        assert_eq!(places(&lanes), [before[2]]);
        lanes.keep(&[0, 0, 0]);
        lanes.start(&[7, 8, 9], || unreachable!("there is room"));
        let mut after = places(&lanes);
        before.sort_unstable();
        after.sort_unstable();
        assert_eq!(after, before);
        lanes.keep(&[]);
        assert!(lanes.live.is_empty());
    }
}
