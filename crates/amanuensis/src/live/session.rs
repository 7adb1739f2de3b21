//! A session: what is fed, what is to be heard of it, and what is told.

use std::collections::VecDeque;
use std::time::Duration;

use super::activity::Activity;
use super::agreement::Agreement;
use super::lines::Lines;
use super::settings::{LONGEST, LONGEST_STEP, Settings, TRIM, TRIM_ANYWHERE, Turns};
use super::update::Update;
use super::words::{self, Heard};
use crate::audio::{Recording, SAMPLE_RATE};
use crate::segments::{Punctuation, Transcript};
use crate::transcription::{Options, ShortContext};

/// Samples that are taken in at a time.
const BLOCK: usize = 1024;
/// Seconds of sound that are kept while nobody speaks: speech is found a little behind its beginning.
const KEPT: f64 = 2.0;
/// A silence of this length is probably the end of an utterance: what was said is heard before it is certain.
const PAUSE: f64 = 0.25;
/// Seconds behind the last speech that a hearing must have heard to be the last one.
const MARGIN: f64 = 0.2;
/// Seconds before the end of a full buffer whose words are not certain.
const UNCERTAIN: f64 = 2.0;
/// Seconds of speech behind the last word of a last hearing that are heard once more.
const MISSED: f64 = 1.5;
/// Seconds that this must come further by, so that it comes to an end.
const PROGRESS: f64 = 1.0;
/// Characters of what was said before that a hearing is told.
const CONTEXT: usize = 200;

/// Something that is to be heard, as any recording.
#[derive(Debug, Clone)]
pub struct Hearing {
    /// By which what came of it is told.
    pub id: u64,
    /// Where the sound begins, in seconds of the session.
    pub start: f64,
    /// The sound: 28 seconds at most.
    pub recording: Recording,
    /// What is asked for: with word times, and with what was said before as its prompt.
    pub options: Options,
}

/// More sound waits than may.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "sound comes faster than it is heard: {waiting:.1} s wait, {most:.1} s may; send it no faster than it is spoken, or take a smaller model"
)]
pub struct TooFast {
    /// Seconds that would wait.
    pub waiting: f64,
    /// Seconds that may.
    pub most: f64,
}

/// What is being said.
struct Utterance {
    number: u64,
    /// Where its sound begins, and where the last speech in it ends. Places are samples of the session.
    start: u64,
    speech: u64,
    /// Up to where it was heard.
    heard: u64,
    has_ended: bool,
    /// Whether the last hypothesis is good enough to be the last one.
    is_good: bool,
    is_complete: bool,
    agreement: Agreement,
}

impl Utterance {
    /// Where the last word ends that was heard.
    fn last(&self) -> Option<f64> {
        self.agreement.tentative().last().map(|heard| heard.word.end).or(self.agreement.until())
    }

    /// Whether there is speech far behind the last word that was heard.
    fn misses(&self) -> bool {
        self.last().is_some_and(|last| seconds(self.speech.min(self.heard)) > last + MISSED)
    }
}

/// What is done by hand at a place of the sound, once all before it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Commit,
    Clear,
}

/// A hearing that was asked for.
struct Asked {
    id: u64,
    start: u64,
    end: u64,
    is_last: bool,
}

/// Sound that becomes text while it comes.
pub struct Session {
    settings: Settings,
    options: Options,
    activity: Activity,
    /// Sound that was fed and not looked at.
    waiting: VecDeque<f32>,
    /// Sound of what is being said, from the place `origin` on.
    buffer: Vec<f32>,
    origin: u64,
    /// Places at which something is done by hand.
    marks: VecDeque<(u64, Mark)>,
    /// Where speech may begin again.
    free: u64,
    is_finished: bool,
    utterance: Option<Utterance>,
    asked: Option<Asked>,
    step: f64,
    /// Others wait to be heard as well.
    is_hurried: bool,
    lines: Lines,
    /// What was said and is forgotten otherwise.
    said: String,
    updates: VecDeque<Update>,
    /// The last partial that was told was not an empty one.
    shows: bool,
    utterances: u64,
    hearings: u64,
}

impl Session {
    /// A session that has heard nothing. `options` are those of every hearing; what a session decides itself is not read:
    /// words, voice activity, batches and clips.
    pub fn new(settings: Settings, options: Options) -> Self {
        Session {
            activity: Activity::new(settings.threshold),
            step: settings.step,
            is_hurried: false,
            settings,
            options: of_hearings(options),
            waiting: VecDeque::new(),
            buffer: Vec::new(),
            origin: 0,
            marks: VecDeque::new(),
            free: 0,
            is_finished: false,
            utterance: None,
            asked: None,
            lines: Lines::default(),
            said: String::new(),
            updates: VecDeque::new(),
            shows: false,
            utterances: 0,
            hearings: 0,
        }
    }

    /// Goes on with other settings and options: what is being heard is not heard anew by them.
    pub fn configure(&mut self, settings: Settings, options: Options) {
        self.activity.set_threshold(settings.threshold);
        self.step = self.step.max(settings.step);
        self.settings = settings;
        self.options = of_hearings(options);
    }

    /// Takes samples of 16 kHz mono, from -1 to 1.
    ///
    /// # Errors
    /// More sound would wait than the settings allow; nothing of it was taken.
    pub fn feed(&mut self, samples: &[f32]) -> Result<(), TooFast> {
        self.advance();
        let (waiting, most) = (seconds((self.waiting.len() + samples.len()) as u64), self.settings.most_waiting);
        if waiting > most {
            return Err(TooFast { waiting, most });
        }
        self.waiting.extend(samples);
        self.advance();
        Ok(())
    }

    /// Ends the utterance here.
    pub fn commit(&mut self) {
        self.marks.push_back((self.fed(), Mark::Commit));
        self.advance();
    }

    /// Ends the sound: what was said last is heard, and then nothing more.
    pub fn finish(&mut self) {
        self.is_finished = true;
        self.commit();
    }

    /// Forgets the sound since the last commit, and what was found in it.
    pub fn clear(&mut self) {
        self.marks.push_back((self.fed(), Mark::Clear));
        self.advance();
    }

    /// Whether others wait to be heard as well: then last hearings are as quick as the others, until this is called again.
    pub fn hurry(&mut self, is_hurried: bool) {
        self.is_hurried = is_hurried;
    }

    /// What is to be heard now, if anything. There is one hearing at a time: the next is asked for once it is told what came
    /// of this one.
    pub fn hearing(&mut self) -> Option<Hearing> {
        if self.asked.is_some() {
            return None;
        }
        loop {
            self.advance();
            let end = self.end();
            let is_full = self.is_full();
            let utterance = self.utterance.as_ref()?;
            let is_news = utterance.speech > utterance.heard;
            let rested = utterance.heard >= utterance.speech + samples(MARGIN) && self.settings.turns == Turns::Silence;
            if utterance.has_ended {
                if utterance.is_good && utterance.heard > utterance.start && (utterance.heard == end || rested) {
                    self.conclude();
                    continue;
                }
                return Some(self.ask(true));
            }
            let unheard = seconds(end - utterance.heard.max(utterance.start));
            let pauses = self.settings.turns == Turns::Silence
                && self.step <= self.settings.step
                && end >= utterance.speech + samples(PAUSE);
            if is_news && (unheard >= self.step || is_full || pauses) {
                return Some(self.ask(false));
            }
            if !is_full {
                return None;
            }
            // Nobody has spoken since the last hearing: what it found is all there is.
            self.rest();
        }
    }

    /// Takes what came of a hearing, and how long it took from when it was asked for.
    pub fn heard(&mut self, id: u64, transcript: &Transcript, took: Duration) {
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return };
        let Some(utterance) = &mut self.utterance else { return };
        let news = seconds(asked.end - utterance.heard.max(utterance.start).min(asked.end));
        if !asked.is_last {
            let took = took.as_secs_f64();
            if took > news {
                self.step = (2.0 * self.step).min(LONGEST_STEP);
            } else if 3.0 * took < news {
                self.step = (self.step / 2.0).max(self.settings.step);
            }
        }
        utterance.heard = asked.end;
        let number = utterance.number;
        let agreed = utterance.agreement.hear(words::of(transcript, seconds(asked.start), seconds(asked.end)));
        let is_doubtful = transcript.segments.is_empty() || transcript.segments.iter().any(|one| !one.flags.is_empty());
        utterance.is_good = !is_doubtful && !utterance.misses();
        self.tell(number, agreed);
        if asked.is_last {
            if !self.goes_on() {
                self.conclude();
            }
        } else {
            self.trim();
            let tentative =
                self.utterance.as_ref().map_or_else(Vec::new, |utterance| utterance.agreement.tentative().to_vec());
            self.show(number, tentative);
        }
        self.advance();
    }

    /// A hearing was not done; it is asked for again.
    pub fn lost(&mut self, id: u64) {
        self.asked.take_if(|asked| asked.id == id);
    }

    /// A hearing failed and would fail again. What was found before is all that will be told of its sound.
    pub fn failed(&mut self, id: u64) {
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return };
        let Some(utterance) = &mut self.utterance else { return };
        utterance.heard = asked.end;
        utterance.is_good = false;
        if asked.is_last {
            utterance.is_complete = false;
            self.conclude();
        }
        self.advance();
    }

    /// What is to be told since it was last asked.
    pub fn updates(&mut self) -> impl Iterator<Item = Update> + use<> {
        std::mem::take(&mut self.updates).into_iter()
    }

    /// Seconds of sound that were fed and of which nothing is told yet, but for silence.
    pub fn lag(&self) -> f64 {
        let heard = match &self.utterance {
            Some(utterance) if utterance.has_ended || utterance.speech > utterance.heard => {
                utterance.heard.max(utterance.start).min(self.end())
            }
            _ => self.end(),
        };
        seconds(self.fed() - heard)
    }

    /// Seconds of sound that wait beside what is being heard. Who reads a file feeds it more once this is little.
    pub fn waiting(&self) -> f64 {
        seconds(self.waiting.len() as u64)
    }

    /// Seconds of sound that were fed.
    pub fn duration(&self) -> f64 {
        seconds(self.fed())
    }

    /// Seconds of sound that the next [`commit`](Session::commit) ends: that of the utterance, and what waits.
    pub fn uncommitted(&self) -> f64 {
        let from = match (&self.utterance, self.settings.turns) {
            (Some(utterance), _) if !utterance.has_ended => utterance.start,
            (_, Turns::ByHand) => self.end(),
            (_, Turns::Silence) => return if self.waiting.is_empty() { 0.0 } else { self.waiting() },
        };
        seconds(self.fed() - self.marks.back().map_or(from, |(place, _)| from.max(*place)))
    }

    /// Seconds of new sound after which an utterance is heard again: more than the settings say while hearing does not keep up.
    pub fn step(&self) -> f64 {
        self.step
    }

    /// Whether all is heard and told, and no more sound will come.
    pub fn is_over(&self) -> bool {
        self.is_finished && self.marks.is_empty() && self.utterance.is_none()
    }

    fn end(&self) -> u64 {
        self.origin + self.buffer.len() as u64
    }

    fn fed(&self) -> u64 {
        self.end() + self.waiting.len() as u64
    }

    fn is_full(&self) -> bool {
        self.buffer.len() as u64 >= samples(LONGEST)
    }

    /// Takes in what waits, up to where something must be heard first.
    fn advance(&mut self) {
        while !self.utterance.as_ref().is_some_and(|utterance| utterance.has_ended) {
            let end = self.end();
            if let Some((_, mark)) = self.marks.pop_front_if(|(place, _)| *place == end) {
                match mark {
                    Mark::Commit => self.end_by_hand(),
                    Mark::Clear => self.drop_utterance(),
                }
                continue;
            }
            let mark = self.marks.front().map(|(place, _)| (place - end) as usize);
            let room = (samples(LONGEST) as usize).saturating_sub(self.buffer.len());
            let count = BLOCK.min(room).min(self.waiting.len()).min(mark.unwrap_or(BLOCK));
            if count == 0 {
                return;
            }
            let begin = self.buffer.len();
            self.buffer.extend(self.waiting.drain(..count));
            self.activity.hear(&self.buffer[begin..]);
            self.look();
        }
    }

    /// Looks whether somebody begins or ends to speak.
    fn look(&mut self) {
        let end = self.end();
        match &mut self.utterance {
            Some(utterance) => {
                utterance.speech = self.activity.ends(utterance.speech).unwrap_or(utterance.speech).min(end);
                let is_silent = end >= utterance.speech + samples(self.settings.silence);
                if is_silent && self.settings.turns == Turns::Silence {
                    utterance.has_ended = true;
                    let (utterance, at) = (utterance.number, seconds(utterance.speech));
                    self.updates.push_back(Update::Stopped { utterance, at });
                }
            }
            None if self.settings.turns == Turns::ByHand => self.begin(self.origin, self.origin),
            None => match self.activity.begins(self.free.max(self.origin)).filter(|speech| *speech < end) {
                Some(speech) => {
                    let start = speech.saturating_sub(samples(self.settings.padding)).max(self.origin);
                    self.begin(start.min(end), speech.min(end));
                    self.updates
                        .push_back(Update::Started { utterance: self.utterances - 1, at: seconds(start.min(end)) });
                    self.look();
                }
                None => self.forget(end.saturating_sub(samples(KEPT))),
            },
        }
    }

    fn begin(&mut self, start: u64, speech: u64) {
        self.forget(start);
        self.utterance = Some(Utterance {
            number: self.utterances,
            start,
            speech,
            heard: start,
            has_ended: false,
            is_good: false,
            is_complete: true,
            agreement: Agreement::default(),
        });
        self.utterances += 1;
    }

    /// Forgets the sound before a place.
    fn forget(&mut self, place: u64) {
        let count = place.saturating_sub(self.origin).min(self.buffer.len() as u64);
        self.buffer.drain(..count as usize);
        self.origin += count;
    }

    fn end_by_hand(&mut self) {
        if self.is_finished && self.marks.is_empty() && self.utterance.is_none() {
            self.activity.end();
            if !self.buffer.is_empty() {
                self.look();
            }
        }
        let end = self.end();
        let Some(utterance) = self.utterance.as_mut().filter(|utterance| !utterance.has_ended) else { return };
        utterance.has_ended = true;
        let at = match self.settings.turns {
            Turns::Silence => utterance.speech.min(end),
            Turns::ByHand => end,
        };
        self.updates.push_back(Update::Stopped { utterance: utterance.number, at: seconds(at) });
    }

    /// Forgets what is being said, and the sound before it.
    fn drop_utterance(&mut self) {
        self.free = self.end();
        self.forget(self.free);
        if let Some(Utterance { number, .. }) = self.utterance.take() {
            self.asked = None;
            self.updates.extend(self.lines.close(number).map(Update::Line));
            self.show(number, Vec::new());
            self.updates.push_back(Update::Dropped { utterance: number });
        }
    }

    /// Asks for the whole buffer to be heard.
    fn ask(&mut self, is_last: bool) -> Hearing {
        self.hearings += 1;
        let id = self.hearings;
        self.asked = Some(Asked { id, start: self.origin, end: self.end(), is_last });
        let mut options = self.options.clone();
        let is_behind = self.is_hurried || self.step > self.settings.step;
        if is_behind || (!is_last && self.buffer.len() as u64 <= samples(TRIM)) {
            // One try is enough for what is heard again in a second, as long as nothing is forgotten; and where hearing does
            // not keep up, a doubtful text that comes is better than five more tries at it.
            options.search.temperatures.truncate(1);
        }
        // While more will be heard, words are told because two hearings agree on them. The last hearing stands alone: it is taken
        // where the model was certain of every token, and is heard again in the whole context where not.
        options.short_context = if is_last && !is_behind { ShortContext::Auto } else { ShortContext::Always };
        if self.settings.context && !self.said.is_empty() {
            let asked = options.initial_prompt.take().map_or_else(String::new, |prompt| prompt + " ");
            options.initial_prompt = Some(asked + self.said.trim());
        }
        Hearing { id, start: seconds(self.origin), recording: Recording::from_samples(&self.buffer), options }
    }

    /// Tells words that stay.
    fn tell(&mut self, utterance: u64, agreed: Vec<Heard>) {
        if agreed.is_empty() {
            return;
        }
        let (words, lines) = self.lines.write(utterance, agreed);
        self.updates.push_back(Update::Agreed { utterance, words });
        self.updates.extend(lines.into_iter().map(Update::Line));
    }

    /// Tells what is being said, if that is not nothing once more.
    fn show(&mut self, utterance: u64, tentative: Vec<Heard>) {
        let (agreed, tentative) = (self.lines.open().to_vec(), self.lines.behind(&tentative));
        let shows = !(agreed.is_empty() && tentative.is_empty());
        if shows || self.shows {
            self.updates.push_back(Update::Partial { utterance, agreed, tentative });
        }
        self.shows = shows;
    }

    /// Forgets sound of which everything is told once there is much of it.
    fn trim(&mut self) {
        let length = seconds(self.buffer.len() as u64);
        let is_full = self.is_full();
        let Some(utterance) = self.utterance.as_mut().filter(|_| length > TRIM) else { return };
        // What came while this was heard is not among it.
        let certain = seconds(utterance.heard) - UNCERTAIN;
        let mut seam = utterance.agreement.seam(length > TRIM_ANYWHERE);
        let begin = seconds(self.origin);
        if is_full && seam.is_none_or(|seam| seam < begin + PROGRESS) {
            // The two do not agree, and there is no room to wait until they do.
            let (number, agreed) = (utterance.number, utterance.agreement.agree_until(certain));
            seam =
                utterance.agreement.seam(true).or(utterance.agreement.until()).filter(|seam| *seam >= begin + PROGRESS);
            self.tell(number, agreed);
            // Of what nothing is heard, as little as may be is given up: the next window may begin better.
            seam = seam.or(Some(begin + PROGRESS));
        }
        if let Some(seam) = seam {
            self.cut(samples(seam));
        }
    }

    /// Whether the last hearing left out what was said behind its last word, as a model does that believes itself at the end: then
    /// that is heard alone.
    fn goes_on(&mut self) -> bool {
        let begin = seconds(self.origin);
        let Some(utterance) = &mut self.utterance else { return false };
        let Some(last) = utterance.last().filter(|last| utterance.misses() && *last > begin + PROGRESS) else {
            return false;
        };
        let (number, agreed) = (utterance.number, utterance.agreement.agree_on_all());
        utterance.heard = samples(last);
        self.tell(number, agreed);
        self.cut(samples(last));
        true
    }

    /// Forgets the sound before a place, in the middle of an utterance.
    fn cut(&mut self, place: u64) {
        self.forget(place);
        if let Some(utterance) = &mut self.utterance {
            let gone = utterance.agreement.scroll(seconds(self.origin));
            self.remember(&gone);
        }
    }

    fn remember(&mut self, gone: &[Heard]) {
        gone.iter().for_each(|heard| self.said.push_str(&heard.word.word));
        let length = self.said.chars().count();
        if length > CONTEXT {
            let rest: String = self.said.chars().skip(length - CONTEXT).collect();
            // The rest of a word is none.
            self.said = rest.split_once(' ').map_or(rest.clone(), |(_, rest)| rest.to_owned());
        }
    }

    /// The last hypothesis is all there is of the buffer, whose end is silent: only that is kept.
    fn rest(&mut self) {
        let Some(utterance) = &mut self.utterance else { return };
        let (number, agreed) = (utterance.number, utterance.agreement.agree_on_all());
        self.tell(number, agreed);
        self.show(number, Vec::new());
        self.cut(self.end() - samples(KEPT));
    }

    /// The utterance is over, and its last hypothesis is what was said.
    fn conclude(&mut self) {
        let Some(utterance) = &mut self.utterance else { return };
        let (number, agreed) = (utterance.number, utterance.agreement.agree_on_all());
        self.tell(number, agreed);
        self.updates.extend(self.lines.close(number).map(Update::Line));
        self.show(number, Vec::new());
        let Some(Utterance { start, speech, is_complete, agreement, .. }) = self.utterance.take() else { return };
        self.remember(agreement.told());
        let end = self.end();
        self.updates.push_back(Update::Ended {
            utterance: number,
            at: seconds(end),
            seconds: seconds(end - start),
            complete: is_complete,
        });
        self.free = end;
        // The silence before the next utterance belongs to it.
        let silence = match self.settings.turns {
            Turns::Silence => end.saturating_sub(samples(self.settings.padding)).max(speech + samples(MARGIN)),
            Turns::ByHand => end,
        };
        self.forget(silence.min(end));
    }
}

/// The options of a hearing, without what a session decides.
fn of_hearings(options: Options) -> Options {
    let words = options.words.clone().or_else(|| Some(Punctuation::default()));
    Options { words, vad: None, batch: None, clips: Vec::new(), ..options }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

fn samples(seconds: f64) -> u64 {
    (seconds * f64::from(SAMPLE_RATE)).round() as u64
}
