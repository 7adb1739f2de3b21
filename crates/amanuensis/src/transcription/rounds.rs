//! Round after round: the next windows of several strands go through the model together.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use super::ahead::{self, Ahead};
use super::course::Course;
use super::error::Error;
use super::strand::{Heeded, Strand};
use super::{Means, ShortContext, context};
use crate::backend::{Decoding, Encoded, Stage, Work};
use crate::crew::Crew;
use crate::decoding::{self, Decoded, Item, Languages, Prompt, Request, mean, restrict, room_for_previous};
use crate::mel::{Mel, Spectrogram, WINDOW_FRAMES};
use crate::model::Generation;
use crate::segments::{AlignedWord, Alignment, Cut, Window, align, cut, uncut};
use crate::tokens::Token;

/// A language takes over from another only if it is so many times as probable.
const TAKES_OVER: f32 = 2.0;

/// All courses of the rounds.
pub(super) type Courses<'s, 'r, 'c> = &'s mut [&'r mut Course<'c>];

/// A window of this round, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) course: usize,
    pub(super) strand: usize,
    pub(super) window: Window,
    /// How many frames the model hears it in.
    pub(super) frames: usize,
}

/// The windows of a round: to be heard, or heard ahead of it.
enum Windows {
    Seen(Vec<Mel>),
    Heard(Encoded),
}

impl Turn {
    fn is_short(&self) -> bool {
        self.frames < WINDOW_FRAMES
    }
}

/// What a turn's window was decoded to.
struct Said {
    decoded: Decoded,
    /// Whether its text is still that of the prompt after the prompt was left out.
    leaked: bool,
    /// Whether it was said in a short context and is not certain.
    doubtful: bool,
}

/// What goes round.
#[derive(Clone, Copy)]
pub(super) struct Rounds<'m> {
    pub(super) means: Means<'m>,
    /// How many windows are decoded together.
    pub(super) together: usize,
}

impl Rounds<'_> {
    /// Goes round once: every course whose turn it is hears its next windows. `ahead` is what was heard ahead of this round, and becomes
    /// what is heard ahead of the next; where there is no place for that, nothing is.
    pub(super) fn next<'w, 'c: 'w>(
        self,
        courses: Courses<'_, '_, 'c>,
        mut ahead: Option<&mut Option<Ahead>>,
        work: &mut Work<'w>,
    ) -> Result<(), Error> {
        courses.iter_mut().for_each(|course| course.heed_cancelling());
        let rounds = Rounds { together: self.fitting(courses)?, ..self };
        let ready = ahead.as_mut().and_then(|ahead| ahead.take());
        let (turns, windows) = match ready.and_then(|ahead| ahead.turns(courses, rounds.together)) {
            Some((turns, encoded, receipt)) => {
                work.receipt.merge(&receipt);
                (turns, Windows::Heard(encoded))
            }
            None => {
                let mut turns = rounds.turns(courses);
                let mels = mels(self.means.crew, &mut turns, courses, work);
                (turns, Windows::Seen(mels))
            }
        };
        if turns.is_empty() {
            return Ok(());
        }
        work.wanted_by = turns.iter().map(|turn| courses[turn.course].cancel().clone()).collect();
        match rounds.hear(windows, &turns, courses, ahead, work) {
            // Nobody was left who wanted it.
            Err(Error::Cancelled) if !work.cancel.load(Ordering::Relaxed) => {
                courses.iter_mut().for_each(|course| course.heed_cancelling());
                Ok(())
            }
            other => other,
        }
    }

    /// Hears the windows of all turns, and where the device can do both at once those of the next.
    fn hear<'w, 'c: 'w>(
        self,
        windows: Windows,
        turns: &[Turn],
        courses: Courses<'_, '_, 'c>,
        ahead: Option<&mut Option<Ahead>>,
        work: &mut Work<'w>,
    ) -> Result<(), Error> {
        let model = self.means.model;
        let encoded = match windows {
            Windows::Seen(mels) => model.encode(&mels, work)?,
            Windows::Heard(encoded) => encoded,
        };
        let mut decoding = model.begin(&encoded, work)?;
        // Megabytes for each window, of which the decoder has taken what it needs.
        drop(encoded);
        let Some(ahead) = ahead.filter(|_| model.encodes_beside()) else {
            return self.say(turns, courses, &mut *decoding, work);
        };
        let planned = ahead::plan(courses, turns, self.together);
        let (wanted_by, cancel) = (ahead::wanted_by(&planned, courses), work.cancel);
        if planned.is_empty() {
            return self.say(turns, courses, &mut *decoding, work);
        }
        thread::scope(|scope| {
            let beside = scope.spawn(move || ahead::hear(self.means, planned, cancel, wanted_by));
            let said = self.say(turns, courses, &mut *decoding, work);
            let since = Instant::now();
            let heard = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
            *ahead = heard.map(|heard| heard.waited(since.elapsed()));
            said
        })
    }

    /// Makes text of what was heard.
    fn say(
        self,
        turns: &[Turn],
        courses: Courses<'_, '_, '_>,
        decoding: &mut dyn Decoding,
        work: &mut Work<'_>,
    ) -> Result<(), Error> {
        self.languages(turns, courses, decoding, work)?;
        let mut said = self.decode(turns, courses, decoding, work)?;
        // What was decoded of a course that was cancelled meanwhile is not whole.
        courses.iter_mut().for_each(|course| course.heed_cancelling());
        turns.iter().for_each(|turn| courses[turn.course].count(turn.frames));
        put_off(turns, courses, &mut said);
        self.heed(turns, courses, &said, decoding, work)?;
        courses.iter_mut().for_each(|course| course.tell());
        for (index, course) in courses.iter_mut().enumerate() {
            if turns.iter().any(|turn| turn.course == index) {
                course.receipt.merge(&work.receipt);
            }
        }
        Ok(())
    }

    /// Finds out the language of a course by its first window, and nothing else.
    pub(super) fn listen(self, course: &mut Course<'_>, work: &mut Work<'_>) -> Result<(), Error> {
        let Some(&(strand, window)) = course.turns(1).first() else { return Ok(()) };
        let turn = Turn { course: 0, strand, window, frames: WINDOW_FRAMES };
        let mel = course.spectrogram.window(window.start, window.frames as usize, turn.frames)?;
        let encoded = self.means.model.encode(&[mel], work)?;
        let mut decoding = self.means.model.begin(&encoded, work)?;
        self.languages(&[turn], &mut [course], &mut *decoding, work)
    }

    /// How many windows the model has room for, of as many as may be decoded together.
    fn fitting(self, courses: Courses<'_, '_, '_>) -> Result<usize, Error> {
        let open = courses.iter().filter(|course| !course.is_over());
        let Some(lanes) = open.map(|course| course.asked.search.lanes()).max() else { return Ok(self.together) };
        Ok(self.means.model.together(self.together, lanes)?.clamp(1, self.together))
    }

    /// Whose turn it is: the first strands of the first courses, so that what is begun is finished first.
    fn turns(self, courses: Courses<'_, '_, '_>) -> Vec<Turn> {
        let mut turns = Vec::new();
        for (course, open) in courses.iter_mut().enumerate() {
            for (strand, window) in open.turns(self.together - turns.len()) {
                let frames = frames(&open.strands[strand], window, open.options.short_context);
                turns.push(Turn { course, strand, window, frames });
            }
        }
        turns
    }

    /// Finds out the languages of the turns that need it, in one batch.
    fn languages(
        self,
        turns: &[Turn],
        courses: Courses<'_, '_, '_>,
        decoding: &mut dyn Decoding,
        work: &mut Work<'_>,
    ) -> Result<(), Error> {
        let special = self.means.tokenizer.special();
        let needs = |window: &usize| courses[turns[*window].course].needs_language();
        let windows: Vec<usize> = (0..turns.len()).filter(needs).collect();
        if !special.is_multilingual() || windows.is_empty() {
            return Ok(());
        }
        let heard = decoding::detect(decoding, &windows, special, work)?;
        for (window, heard) in windows.into_iter().zip(heard) {
            let (turn, course) = (turns[window], &mut *courses[turns[window].course]);
            let heard = restrict(heard, &course.asked.allowed);
            if turn.is_short() && !context::is_certain_of(&heard, course.options.short_context) {
                course.strands[turn.strand].in_vain = Some(0);
                continue;
            }
            if course.asked.language.is_empty() {
                let languages = self.listen_longer(course, turn, heard.clone(), work)?;
                course.speak(languages);
            }
            if course.options.detection.every_window && course.options.language.is_none() {
                let threshold = course.options.detection.threshold;
                let strand = &mut course.strands[turn.strand];
                strand.language = next_language(&strand.language, &heard, threshold);
            }
        }
        Ok(())
    }

    /// Hears further windows of the strand as long as no language is probable enough; the mean of them all.
    fn listen_longer(
        self,
        course: &mut Course<'_>,
        turn: Turn,
        first: Languages,
        work: &mut Work<'_>,
    ) -> Result<Languages, Error> {
        let special = self.means.tokenizer.special();
        let (windows, threshold) = (course.options.detection.windows.get(), course.options.detection.threshold);
        let mut seek = course.strands[turn.strand].seek.clone();
        seek.advance(turn.window, turn.window.start + turn.window.frames);
        let mut heard = vec![first];
        while heard.len() < windows {
            let certain = mean(&heard).first().is_none_or(|(_, probability)| *probability > threshold);
            let Some(window) = seek.window().filter(|_| !certain) else { break };
            seek.advance(window, window.start + window.frames);
            // What cannot be read fails when its own turn comes, and then alone.
            let frames = window.frames as usize;
            let Ok(mel) = course.spectrogram.window(window.start, frames, WINDOW_FRAMES) else { break };
            course.count(WINDOW_FRAMES);
            let encoded = self.means.model.encode(&[mel], work)?;
            let mut decoding = self.means.model.begin(&encoded, work)?;
            let languages = decoding::detect(&mut *decoding, &[0], special, work)?;
            heard.extend(languages.into_iter().map(|languages| restrict(languages, &course.asked.allowed)));
        }
        Ok(mean(&heard))
    }

    /// Decodes the windows, but for those whose language is to be heard again.
    fn decode(
        self,
        turns: &[Turn],
        courses: Courses<'_, '_, '_>,
        decoding: &mut dyn Decoding,
        work: &mut Work<'_>,
    ) -> Result<Vec<Option<Said>>, Error> {
        let mut decode = |prompts: &[Prompt], which: &[usize]| {
            let item = |&index: &usize| item(index, &turns[index], courses[turns[index].course], &prompts[index]);
            let items: Vec<Item<'_>> = which.iter().map(item).collect();
            decoding::decode(decoding, &items, self.means.tokenizer, work)
        };
        let prompts = |told: bool| -> Vec<Prompt> {
            turns.iter().map(|turn| self.prompt(courses[turn.course], turn, told)).collect()
        };
        let is_put_off = |turn: &Turn| turn.is_short() && courses[turn.course].strands[turn.strand].in_vain.is_some();
        let all: Vec<usize> = (0..turns.len()).filter(|&index| !is_put_off(&turns[index])).collect();
        let told = prompts(true);
        let mut said: Vec<Option<Said>> = turns.iter().map(|_| None).collect();
        for (&index, decoded) in all.iter().zip(decode(&told, &all)?) {
            let (turn, special) = (&turns[index], self.means.tokenizer.special());
            let options = &courses[turn.course].options;
            let doubtful = turn.is_short() && !context::is_certain(turn.window, &decoded, options, special);
            said[index] = Some(Said { decoded, leaked: false, doubtful });
        }

        // What comes back from a window without speech though it was only told is decoded again without being told.
        let leaks = |index: &usize, said: &Decoded| courses[turns[*index].course].leaks(said);
        let is_told = |index: &usize| told[*index].start > 0;
        let leaking = |index: &usize| {
            let said = said[*index].as_ref();
            is_told(index) && said.is_some_and(|said| !said.doubtful && leaks(index, &said.decoded))
        };
        let leaking: Vec<usize> = all.into_iter().filter(leaking).collect();
        if !leaking.is_empty() {
            for (index, mut decoded) in leaking.iter().zip(decode(&prompts(false), &leaking)?) {
                decoded.tries += said[*index].as_ref().map_or(0, |said| said.decoded.tries);
                said[*index] = Some(Said { leaked: leaks(index, &decoded), decoded, doubtful: false });
            }
        }
        Ok(said)
    }

    /// What the decoder is told before a window: with what was said before, or without.
    fn prompt(self, course: &Course<'_>, turn: &Turn, told: bool) -> Prompt {
        let special = self.means.tokenizer.special();
        let context = self.means.model.dims().text_context;
        let strand = &course.strands[turn.strand];
        let request = course.request(strand, special);
        let before = if told { strand.story.context(room_for_previous(context)) } else { Vec::new() };
        let forced = if strand.prefixed { course.asked.prefix.as_slice() } else { &[] };
        Prompt::new(special, request, &before, forced, context)
    }

    /// Every strand takes what its window came to.
    fn heed(
        self,
        turns: &[Turn],
        courses: Courses<'_, '_, '_>,
        said: &[Option<Said>],
        decoding: &mut dyn Decoding,
        work: &mut Work<'_>,
    ) -> Result<(), Error> {
        let special = self.means.tokenizer.special();
        let mut cuts: Vec<Option<Cut>> = Vec::with_capacity(turns.len());
        for (turn, said) in turns.iter().zip(said) {
            let course = &mut *courses[turn.course];
            let Some(Said { decoded, .. }) = said.as_ref().filter(|_| !course.has_failed()) else {
                cuts.push(None);
                continue;
            };
            let strand = &mut course.strands[turn.strand];
            let silent = course.options.thresholds.is_silence(decoded);
            if silent {
                strand.seek.advance(turn.window, turn.window.start + turn.window.frames);
            }
            // Without times asked for, those that the model says all the same obey no rule.
            cuts.push((!silent).then(|| match course.options.timestamps {
                true => cut(turn.window, &decoded.tokens, special),
                false => uncut(turn.window, &decoded.tokens),
            }));
        }
        let mut words = self.words(turns, courses, &cuts, decoding, work)?;
        let mut since = Instant::now();
        for (index, ((turn, said), cut)) in turns.iter().zip(said).zip(cuts).enumerate() {
            let (Some(Said { decoded, leaked, .. }), Some(cut)) = (said, cut) else { continue };
            let heeded = Heeded { window: turn.window, decoded, leaked: *leaked, cut, words: words[index].take() };
            courses[turn.course].heed(turn.strand, heeded);
        }
        work.receipt.lap(Stage::Search, &mut since);
        Ok(())
    }

    /// The words of those windows whose words are to have times.
    fn words(
        self,
        turns: &[Turn],
        courses: Courses<'_, '_, '_>,
        cuts: &[Option<Cut>],
        decoding: &mut dyn Decoding,
        work: &mut Work<'_>,
    ) -> Result<Vec<Option<Vec<AlignedWord>>>, Error> {
        let special = self.means.tokenizer.special();
        let wanted = |index: &usize| cuts[*index].is_some() && courses[turns[*index].course].options.words.is_some();
        let wanted: Vec<usize> = (0..turns.len()).filter(wanted).collect();
        let mut words: Vec<Option<Vec<AlignedWord>>> = vec![None; turns.len()];
        if wanted.is_empty() {
            return Ok(words);
        }
        let prompt = |index: &usize| {
            let course = &courses[turns[*index].course];
            // The words are read without timestamps, whether they were written with them or not.
            let request = course.request(&course.strands[turns[*index].strand], special);
            Request { timestamps: true, ..request }.tokens(special)
        };
        let prompts: Vec<Vec<Token>> = wanted.iter().map(prompt).collect();
        let texts: Vec<Vec<Token>> = wanted.iter().map(|&index| cut_text(cuts[index].as_ref())).collect();
        let item = |(number, &window): (usize, &usize)| Alignment {
            window,
            prompt: &prompts[number],
            text: &texts[number],
            frames: turns[window].window.frames,
        };
        let items: Vec<Alignment<'_>> = wanted.iter().enumerate().map(item).collect();
        let Generation { alignment_heads, median_filter_width, .. } = self.means.generation;
        let aligned = align(decoding, &items, alignment_heads, *median_filter_width, self.means.tokenizer, work)?;
        for (&index, aligned) in wanted.iter().zip(aligned) {
            words[index] = Some(aligned);
        }
        Ok(words)
    }
}

/// How many frames a strand's next window is heard in.
pub(super) fn frames(strand: &Strand, window: Window, short: ShortContext) -> usize {
    if strand.in_vain.is_some() { WINDOW_FRAMES } else { context::frames(window, short) }
}

/// Puts off the windows of which it is not certain in a short context what was said: they are heard again in the whole
/// one, in a later round.
fn put_off(turns: &[Turn], courses: Courses<'_, '_, '_>, said: &mut [Option<Said>]) {
    for (turn, said) in turns.iter().zip(said) {
        let course = &mut *courses[turn.course];
        let Some(strand) = course.strands.get_mut(turn.strand) else { continue };
        match said {
            Some(Said { decoded, doubtful: false, .. }) => decoded.tries += strand.in_vain.take().unwrap_or(0),
            _ => {
                // Where the language was not certain nothing was decoded.
                strand.in_vain = Some(said.take().map_or(0, |said| said.decoded.tries));
                course.contexts.repeated += 1;
            }
        }
    }
}

/// All tokens of the pieces of a window.
fn cut_text(cut: Option<&Cut>) -> Vec<Token> {
    cut.into_iter().flat_map(|cut| &cut.pieces).flat_map(|piece| piece.tokens.iter().copied()).collect()
}

/// The windows' spectrograms, made by the crew. A recording that cannot be read any more fails alone, and loses its turns.
fn mels(crew: Crew, turns: &mut Vec<Turn>, courses: Courses<'_, '_, '_>, work: &mut Work<'_>) -> Vec<Mel> {
    let mut since = Instant::now();
    turns.retain(|turn| !courses[turn.course].strands.is_empty());
    let spectrograms: Vec<&Spectrogram<'_>> = turns.iter().map(|turn| &*courses[turn.course].spectrogram).collect();
    let window = |index: usize| {
        let Turn { window, frames, .. } = turns[index];
        spectrograms[index].window(window.start, window.frames as usize, frames)
    };
    let Ok(made) = crew.map(turns.len(), window, &mut || Ok::<(), Infallible>(()));
    let mut mels: Vec<(Turn, Mel)> = Vec::with_capacity(turns.len());
    for (turn, mel) in turns.iter().zip(made) {
        let course = &mut *courses[turn.course];
        match mel {
            Ok(mel) if !course.has_failed() => mels.push((*turn, mel)),
            Ok(_) => {}
            Err(error) => {
                course.fail(error.into());
                mels.retain(|(other, _)| other.course != turn.course);
            }
        }
    }
    work.receipt.lap(Stage::Mel, &mut since);
    let (left, mels) = mels.into_iter().unzip();
    *turns = left;
    mels
}

fn item<'a>(window: usize, turn: &Turn, course: &'a Course<'_>, prompt: &'a Prompt) -> Item<'a> {
    Item {
        window,
        prompt,
        rules: &course.asked.rules,
        search: if turn.is_short() { &course.asked.once } else { &course.asked.search },
        thresholds: &course.options.thresholds,
        resort: course.options.resort,
        place: turn.window.start,
        cancel: course.cancel(),
    }
}

/// The language of a window after one in `before`: another only if it is certain enough.
fn next_language(before: &str, heard: &Languages, threshold: f32) -> String {
    let probability = |code: &str| heard.iter().find(|(other, _)| other == code).map_or(0.0, |(_, p)| *p);
    match heard.first() {
        Some((code, first)) if *first >= threshold && *first >= TAKES_OVER * probability(before) => code.clone(),
        Some((code, _)) if before.is_empty() => code.clone(),
        _ => before.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_stays_until_another_is_certain() {
        let heard = |en: f32, de: f32| {
            let mut heard = vec![("en".to_owned(), en), ("de".to_owned(), de)];
            heard.sort_by(|a, b| b.1.total_cmp(&a.1));
            heard
        };
        assert_eq!(next_language("en", &heard(0.1, 0.9), 0.5), "de");
        assert_eq!(next_language("en", &heard(0.4, 0.6), 0.5), "en", "not twice as probable");
        assert_eq!(next_language("en", &heard(0.2, 0.45), 0.5), "en", "below the threshold");
        assert_eq!(next_language("", &heard(0.2, 0.3), 0.5), "de", "the first window has no other");
    }
}
