//! Seeking: which stretch of the recording is heard next.

use crate::mel::{FRAMES_PER_SECOND, WINDOW_FRAMES};

/// The stretch of sound that one pass of the encoder hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first frame, counted from the recording's beginning.
    pub start: u64,
    /// Frames of sound in it, at most 3000.
    pub frames: u64,
}

/// The parts of a recording that are to be transcribed, as frames from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clips(Vec<(u64, u64)>);

impl Clips {
    /// The clips given in seconds, each to an end or to the end of the recording; none means all of it.
    ///
    /// Clips end at the recording's end at the latest; those without length are left out. They are heard in order of
    /// time, and what several of them hold once.
    pub fn new(seconds: &[(f64, Option<f64>)], content_frames: u64) -> Self {
        let frame = |seconds: f64| (seconds.max(0.0) * FRAMES_PER_SECOND as f64).round_ties_even() as u64;
        let clip = |&(start, end): &(f64, Option<f64>)| {
            (frame(start), end.map_or(content_frames, |end| frame(end).min(content_frames)))
        };
        let mut given: Vec<_> = seconds.iter().map(clip).filter(|(start, end)| start < end).collect();
        given.sort_unstable();
        let mut clips: Vec<(u64, u64)> = Vec::with_capacity(given.len());
        for (start, end) in given {
            match clips.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => clips.push((start, end)),
            }
        }
        if seconds.is_empty() && content_frames > 0 {
            clips.push((0, content_frames));
        }
        Clips(clips)
    }

    /// Frames in all of them.
    pub fn frames(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// The frames from one to another, which must rise.
    pub fn one(clip: (u64, u64)) -> Self {
        Clips(vec![clip])
    }

    /// The frame at which the first begins.
    pub fn start(&self) -> u64 {
        self.0.first().map_or(0, |clip| clip.0)
    }

    /// The first frame of each and the one behind its last.
    pub fn frames_of_each(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

/// Goes through the clips of a recording, a window at a time.
#[derive(Debug, Clone)]
pub struct Seek {
    clips: Clips,
    clip: usize,
    frame: u64,
}

impl Seek {
    /// Begins at the first clip.
    pub fn new(clips: Clips) -> Self {
        Seek { frame: clips.0.first().map_or(0, |clip| clip.0), clip: 0, clips }
    }

    /// Goes on at a place of `clips` where another was. None where no window of that clip ends.
    pub fn at(clips: Clips, clip: usize, frame: u64) -> Option<Self> {
        let lies_in = |&(start, end): &(u64, u64)| (start..=end + WINDOW_FRAMES as u64).contains(&frame);
        let fits = clips.0.get(clip).map_or(clip == clips.0.len(), lies_in);
        fits.then_some(Seek { clips, clip, frame })
    }

    /// Where it is: in which clip, at which frame.
    pub fn place(&self) -> (usize, u64) {
        (self.clip, self.frame)
    }

    /// The clips that it goes through.
    pub fn clips(&self) -> &Clips {
        &self.clips
    }

    /// The window to be heard next, if any is left. It never crosses the end of a clip.
    pub fn window(&mut self) -> Option<Window> {
        loop {
            let &(start, end) = self.clips.0.get(self.clip)?;
            self.frame = self.frame.max(start);
            if self.frame < end {
                return Some(Window { start: self.frame, frames: (end - self.frame).min(WINDOW_FRAMES as u64) });
            }
            self.clip += 1;
            self.frame = self.clips.0.get(self.clip)?.0;
        }
    }

    /// Goes on at `frame`, which must lie behind the start of the window that was heard.
    pub fn advance(&mut self, heard: Window, frame: u64) {
        // A window whose last pair of timestamps is at its very start would otherwise be heard for ever.
        self.frame = if frame > heard.start { frame } else { heard.start + heard.frames };
    }

    /// How many frames were heard.
    pub fn heard(&self) -> u64 {
        let before: u64 = self.clips.0.iter().take(self.clip).map(|(start, end)| end - start).sum();
        let within = |&(start, end): &(u64, u64)| self.frame.clamp(start, end) - start;
        before + self.clips.0.get(self.clip).map_or(0, within)
    }

    /// How many frames there are.
    pub fn frames(&self) -> u64 {
        self.clips.frames()
    }
}

#[cfg(test)]
mod tests;
