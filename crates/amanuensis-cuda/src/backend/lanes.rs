//! Lanes: the sequences of tokens that are being continued, and the slots of the pool in which their keys and values lie.

/// One sequence of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lane {
    /// The window it listens to.
    pub(super) window: usize,
    /// Tokens it has seen.
    pub(super) length: usize,
    /// Where it remembers them.
    pub(super) slot: usize,
}

/// What a slot is to be filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) from: usize,
    pub(super) into: usize,
    /// Positions of each layer.
    pub(super) rows: usize,
}

/// The lanes at work. What must be copied for them is noted and done with the next step.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) live: Vec<Lane>,
    spare: Vec<usize>,
    slots: usize,
    /// Copies of one `keep` after the other; those of one do not touch each other's slots.
    pub(super) pending: Vec<Vec<Copy>>,
}

impl Lanes {
    /// How many slots the pool must have.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// One empty lane for each window.
    pub(super) fn start(&mut self, windows: &[usize]) {
        self.pending.clear();
        self.live.clear();
        self.spare.clear();
        self.slots = windows.len();
        self.live.extend(windows.iter().enumerate().map(|(slot, &window)| Lane { window, length: 0, slot }));
    }

    /// Lane `i` goes on from what lane `parents[i]` was. A parent moves to the first of its children and is copied for the
    /// others, into the slots of lanes that ended.
    ///
    /// # Panics
    ///
    /// If a parent is named that is not a lane.
    pub(super) fn keep(&mut self, parents: &[usize]) {
        let count = self.live.len();
        assert!(parents.iter().all(|parent| *parent < count), "parents {parents:?} of {count} lanes");
        let before = std::mem::take(&mut self.live);
        let mut moved = vec![false; count];
        let ended = (0..count).filter(|lane| !parents.contains(lane));
        self.spare.extend(ended.map(|lane| before[lane].slot));
        let mut copies = Vec::new();
        for &parent in parents {
            let mut lane = before[parent];
            if std::mem::replace(&mut moved[parent], true) {
                let into = self.spare.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots - 1
                });
                if lane.length > 0 {
                    copies.push(Copy { from: lane.slot, into, rows: lane.length });
                }
                lane.slot = into;
            }
            self.live.push(lane);
        }
        if !copies.is_empty() {
            self.pending.push(copies);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(count: usize) -> Lanes {
        let mut lanes = Lanes::default();
        lanes.start(&(0..count).collect::<Vec<_>>());
        lanes.live.iter_mut().for_each(|lane| lane.length = 5);
        lanes
    }

    fn slots(lanes: &Lanes) -> Vec<usize> {
        lanes.live.iter().map(|lane| lane.slot).collect()
    }

    #[test]
    fn lanes_that_only_change_places_are_not_copied() {
        let mut lanes = lanes(3);
        lanes.keep(&[2, 0, 1]);
        assert_eq!((slots(&lanes), lanes.pending.len()), (vec![2, 0, 1], 0));
    }

    #[test]
    fn children_take_the_slots_of_lanes_that_ended() {
        let mut lanes = lanes(3);
        lanes.keep(&[1, 1, 1]);
        let copies = [Copy { from: 1, into: 2, rows: 5 }, Copy { from: 1, into: 0, rows: 5 }];
        assert_eq!((slots(&lanes), lanes.slots()), (vec![1, 2, 0], 3));
        assert_eq!(lanes.pending, [copies]);
        // A slot of the first time is copied over the second time: the order is kept.
        lanes.keep(&[2, 2]);
        assert_eq!((slots(&lanes), lanes.pending.len()), (vec![0, 2], 2));
    }

    #[test]
    fn more_lanes_than_there_were_take_new_slots() {
        let mut lanes = lanes(1);
        lanes.keep(&[0, 0]);
        assert_eq!((slots(&lanes), lanes.slots()), (vec![0, 1], 2));
        lanes.keep(&[]);
        assert!(lanes.live.is_empty());
        lanes.start(&[7]);
        assert_eq!((lanes.live[0], lanes.pending.len()), (Lane { window: 7, length: 0, slot: 0 }, 0));
    }
}
