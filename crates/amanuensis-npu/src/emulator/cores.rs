//! What cores promise: to wait at their barrier, to read their parameters, to make so many tiles, and to wait again.

use std::collections::BTreeMap;

use super::Wrong;
use crate::plan::{Bounds, Meaning, Overlay};
use crate::txn::{Place, Register, Tile};

/// What a core is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Job {
    depth: u32,
    /// Tiles that are left; none where there is no end.
    tiles: Option<u32>,
    /// It began by itself, with the parameters of the job before.
    stale: bool,
}

#[derive(Debug, Clone)]
struct Core {
    tile: Tile,
    /// Parameters that were written: where, what they say, their value.
    parameters: BTreeMap<u32, (Meaning, Option<u32>)>,
    /// The barrier's lock and the value that opens it.
    barrier: Option<(u8, u32)>,
    lock: u32,
    job: Option<Job>,
}

pub(super) struct Cores {
    cores: Vec<Core>,
    rearmed: bool,
}

impl Cores {
    /// Cores that nothing was said to.
    pub(super) fn new(overlay: &Overlay) -> Self {
        let core = |tile| {
            let (parameters, barrier, job) = match &overlay.bounds {
                Bounds::Fixed { depth } => {
                    (BTreeMap::new(), None, Some(Job { depth: *depth, tiles: None, stale: false }))
                }
                Bounds::Runtime { parameters, barriers, .. } => {
                    let own = parameters.iter().filter(|one| one.core == tile);
                    let barrier = barriers.iter().find(|one| one.core == tile);
                    let parameters = own.map(|one| (one.offset, (one.meaning, None))).collect();
                    (parameters, barrier.map(|one| (one.lock, one.open)), None)
                }
            };
            Core { tile, parameters, barrier, lock: 0, job }
        };
        let rearmed = matches!(overlay.bounds, Bounds::Fixed { .. } | Bounds::Runtime { rearmed: true, .. });
        Self { cores: overlay.cores().map(core).collect(), rearmed }
    }

    /// A write into a core: a parameter, or the lock of its barrier.
    pub(super) fn write(&mut self, address: u32, place: &Place, value: u32) -> Result<(), Wrong> {
        let unknown = Wrong::Register(address);
        let rearmed = self.rearmed;
        let core = self.cores.iter_mut().find(|core| core.tile == place.tile).ok_or(unknown.clone())?;
        match place.register {
            Register::Memory { offset } => {
                let parameter = core.parameters.get_mut(&offset).ok_or(unknown)?;
                if let Some(job) = core.job {
                    return Err(if job.stale { Wrong::Stale(core.tile) } else { Wrong::ParameterRace(core.tile) });
                }
                parameter.1 = Some(value);
                Ok(())
            }
            Register::Lock { id } if core.barrier.is_some_and(|(lock, _)| lock == id) => {
                core.lock = value;
                core.begin(rearmed, false)
            }
            _ => Err(unknown),
        }
    }

    /// How many tiles the cores of a column sum for the next tile of the product; else the core that does not go on.
    pub(super) fn depth(&self, column: u8) -> Result<Result<u32, Tile>, Wrong> {
        let mut depths = None;
        for core in self.cores.iter().filter(|core| core.tile.column == column) {
            let Some(job) = core.job else { return Ok(Err(core.tile)) };
            if *depths.get_or_insert(job.depth) != job.depth {
                return Err(Wrong::Disagree(column));
            }
        }
        Ok(Ok(depths.unwrap_or(0)))
    }

    /// The cores of a column have made a tile.
    pub(super) fn made(&mut self, column: u8) -> Result<(), Wrong> {
        let rearmed = self.rearmed;
        for core in self.cores.iter_mut().filter(|core| core.tile.column == column) {
            let Some(Job { tiles: Some(tiles), .. }) = &mut core.job else { continue };
            *tiles = tiles.saturating_sub(1);
            if *tiles == 0 {
                core.job = None;
                core.begin(rearmed, true)?;
            }
        }
        Ok(())
    }

    /// Whether every core has made what it was told to make.
    pub(super) fn finished(&self) -> Result<(), Wrong> {
        for core in &self.cores {
            if let Some(Job { tiles: Some(tiles), stale: false, .. }) = core.job {
                return Err(Wrong::TilesLeft { core: core.tile, tiles });
            }
        }
        Ok(())
    }
}

impl Core {
    /// Goes through the barrier if it is open. `again` is whether nobody opened it since the last time.
    fn begin(&mut self, rearmed: bool, again: bool) -> Result<(), Wrong> {
        let open = self.barrier.is_some_and(|(_, open)| open == self.lock);
        if !open || self.job.is_some() {
            return Ok(());
        }
        let value =
            |wanted: Meaning| self.parameters.values().find(|(meaning, _)| *meaning == wanted).and_then(|one| one.1);
        let (Some(depth), Some(tiles)) = (value(Meaning::Depth), value(Meaning::Tiles)) else {
            return Err(Wrong::NoParameters(self.tile));
        };
        if rearmed {
            self.lock = 0;
        }
        // With no tile to make it is at its barrier again at once.
        self.job = (tiles > 0).then_some(Job { depth, tiles: Some(tiles), stale: again && !rearmed });
        Ok(())
    }
}
