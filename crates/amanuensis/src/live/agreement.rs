//! Local agreement: what two hypotheses in a row say alike is told, what was told is found again in the next one.

use super::words::Heard;

/// Words before the buffer that a hypothesis may begin with once more: the cut went through them.
const SEAM: usize = 5;
/// Seconds by which the times of a word differ from one hypothesis to the next.
const JITTER: f64 = 0.25;
/// What a word costs, where another word costs 1, that stands on the wrong side of the time up to which words were told by
/// `JITTER` or more. It costs less the nearer it is: between the same word twice nothing but its time decides.
const MISPLACED: f64 = 0.9;

/// What is agreed on of an utterance.
#[derive(Default)]
pub(super) struct Agreement {
    /// The last words whose sound is forgotten.
    scrolled: Vec<Heard>,
    /// Words that were told and whose sound is still there.
    told: Vec<Heard>,
    /// The rest of the last hypothesis.
    tentative: Vec<Heard>,
}

impl Agreement {
    /// Takes a hypothesis for the whole buffer, and gives the words that are agreed on by it. Its last word is not among them:
    /// the mark behind it changes when more is said.
    pub(super) fn hear(&mut self, mut hypothesis: Vec<Heard>) -> Vec<Heard> {
        let rest = hypothesis.split_off(self.found_again(&hypothesis));
        let alike = rest.iter().zip(&self.tentative).take_while(|(one, other)| one.plain == other.plain).count();
        let certain = alike.min(rest.len().saturating_sub(1));
        self.tentative = rest;
        self.agree(certain)
    }

    /// Takes the first words of the rest for agreed.
    pub(super) fn agree(&mut self, count: usize) -> Vec<Heard> {
        let agreed: Vec<Heard> = self.tentative.drain(..count.min(self.tentative.len())).collect();
        self.told.extend_from_slice(&agreed);
        agreed
    }

    /// Takes all of the rest for agreed: nothing more will be heard of it.
    pub(super) fn agree_on_all(&mut self) -> Vec<Heard> {
        self.agree(self.tentative.len())
    }

    /// Takes for agreed what ends before a moment; all where nothing does.
    pub(super) fn agree_until(&mut self, moment: f64) -> Vec<Heard> {
        let count = self.tentative.iter().take_while(|heard| heard.word.end <= moment).count();
        self.agree(if count == 0 { self.tentative.len() } else { count })
    }

    /// The words that may still change.
    pub(super) fn tentative(&self) -> &[Heard] {
        &self.tentative
    }

    /// Where the sound may be cut: behind the last word told that closes a sentence or segment, or `anywhere` behind a word
    /// told. It is the middle between two words: where the last word ends is known when the next one is.
    pub(super) fn seam(&self, anywhere: bool) -> Option<f64> {
        let next = |place: usize| self.told.get(place + 1).or(self.tentative.first());
        let fits = |place: &usize| (self.told[*place].closes || anywhere) && next(*place).is_some();
        let place = (0..self.told.len()).rev().find(fits)?;
        let (end, start) = (self.told[place].word.end, next(place)?.word.start);
        Some(if start > end { (end + start) / 2.0 } else { end })
    }

    /// Where the last word ends that was told.
    pub(super) fn until(&self) -> Option<f64> {
        self.told.last().or(self.scrolled.last()).map(|last| last.word.end)
    }

    /// The sound before a moment is forgotten. Gives the words that went with it.
    pub(super) fn scroll(&mut self, moment: f64) -> Vec<Heard> {
        let count = self.told.iter().take_while(|heard| middle(heard) < moment).count();
        let gone: Vec<Heard> = self.told.drain(..count).collect();
        self.scrolled.extend_from_slice(&gone);
        let many = self.scrolled.len().saturating_sub(SEAM);
        self.scrolled.drain(..many);
        gone
    }

    /// The words whose sound is still there.
    pub(super) fn told(&self) -> &[Heard] {
        &self.told
    }

    /// How many words of a hypothesis are those that were told: where the words before differ least from them, and times
    /// agree best.
    fn found_again(&self, hypothesis: &[Heard]) -> usize {
        let Some(until) = self.until() else { return 0 };
        // Distances between what was told, row by row, and each beginning of the hypothesis. What is scrolled need not be there.
        let known = self.scrolled.iter().chain(&self.told);
        let mut distances: Vec<usize> = (0..=hypothesis.len()).collect();
        for (row, word) in known.enumerate() {
            let missing = (row + 1).saturating_sub(self.scrolled.len());
            let mut diagonal = std::mem::replace(&mut distances[0], missing);
            for (column, other) in hypothesis.iter().enumerate() {
                let changed = diagonal + usize::from(word.plain != other.plain);
                diagonal = distances[column + 1];
                distances[column + 1] = changed.min(diagonal + 1).min(distances[column] + 1);
            }
        }
        let misplaced = |seconds: f64| MISPLACED * (seconds / JITTER).clamp(0.0, 1.0);
        let early = |heard: &Heard| misplaced(until - middle(heard));
        let late = |heard: &Heard| misplaced(middle(heard) - until);
        let mut times: f64 = hypothesis.iter().map(early).sum();
        let mut best = (distances[0] as f64 + times, 0);
        for (column, heard) in hypothesis.iter().enumerate() {
            times += late(heard) - early(heard);
            let cost = distances[column + 1] as f64 + times;
            if cost <= best.0 {
                best = (cost, column + 1);
            }
        }
        best.1
    }
}

fn middle(heard: &Heard) -> f64 {
    (heard.word.start + heard.word.end) / 2.0
}

#[cfg(test)]
mod tests {
    use super::super::words::{ends_sentence, plain};
    use super::*;
    use crate::segments::Word;

    /// Words of half a second each, the first at `start`.
    fn words(start: f64, text: &str) -> Vec<Heard> {
        spoken(start, 0.5, text)
    }

    /// Words of some length each, the first at `start`.
    fn spoken(start: f64, length: f64, text: &str) -> Vec<Heard> {
        let heard = |(index, word): (usize, &str)| {
            let at = start + length * index as f64;
            let word = Word { word: format!(" {word}"), start: at, end: at + length, probability: 1.0 };
            Heard { plain: plain(&word.word), closes: ends_sentence(&word.word), word }
        };
        text.split_whitespace().enumerate().map(heard).collect()
    }

    fn text(words: &[Heard]) -> String {
        words.iter().map(|heard| heard.word.word.as_str()).collect()
    }

    #[test]
    fn what_two_say_alike_is_agreed_in_the_spelling_of_the_second() {
        let mut agreement = Agreement::default();
        assert_eq!(text(&agreement.hear(words(0.0, "please Check, the serve"))), "");
        assert_eq!(text(&agreement.hear(words(0.0, "Please check the server every"))), " Please check the");
        assert_eq!(text(&agreement.hear(words(0.1, "Please, check the server every eleven"))), " server every");
        assert_eq!(text(&agreement.hear(words(0.0, "Please check the server every eleven weeks."))), " eleven");
        assert_eq!(text(&agreement.agree_on_all()), " weeks.");
    }

    #[test]
    fn what_was_told_is_found_again_however_it_is_said() {
        for (told, hypothesis, rest) in [
            ("no no", "no no no no", " no no"),
            ("a b c", "a c d", " d"),
            ("a b c", "x y z d", " d"),
            ("a b c", "", ""),
            ("a b c d", "a b", ""),
        ] {
            let mut agreement = Agreement::default();
            agreement.hear(words(0.0, told));
            agreement.agree_on_all();
            agreement.hear(words(0.0, hypothesis));
            assert_eq!(text(agreement.tentative()), rest, "{told:?} and then {hypothesis:?}");
        }
        let mut agreement = Agreement::default();
        agreement.hear(words(0.0, "a b c"));
        agreement.agree_on_all();
        agreement.hear(spoken(0.0, 0.375, "a b b c d"));
        assert_eq!(text(agreement.tentative()), " d", "a word more in the same time");
    }

    #[test]
    fn a_word_that_the_cut_went_through_is_not_told_twice() {
        let mut agreement = Agreement::default();
        for _ in 0..2 {
            agreement.hear(words(0.0, "He burned the key. And ran"));
        }
        assert_eq!(agreement.seam(false), Some(2.0));
        assert_eq!(text(&agreement.scroll(2.0)), " He burned the key.");
        agreement.hear(words(1.9, "Key. And ran sadly"));
        assert_eq!(text(agreement.tentative()), " sadly");
        agreement.hear(words(2.0, "and ran sadly home"));
        assert_eq!(text(agreement.tentative()), " home");
    }

    #[test]
    fn the_same_word_twice_is_told_twice_where_the_cut_went_between() {
        let mut agreement = Agreement::default();
        for _ in 0..2 {
            agreement.hear(words(0.0, "no. No"));
        }
        assert_eq!(text(&agreement.scroll(0.5)), " no.");
        // The second is short, and begins before the first was said to end.
        assert_eq!(text(&agreement.hear(spoken(0.45, 0.25, "No more of"))), " No");
        assert_eq!(text(agreement.tentative()), " more of");
    }

    #[test]
    fn where_there_is_no_sentence_the_seam_is_behind_any_word() {
        let mut agreement = Agreement::default();
        for _ in 0..2 {
            agreement.hear(words(0.0, "one two three"));
        }
        assert_eq!((agreement.seam(false), agreement.seam(true)), (None, Some(1.0)));
        agreement.hear(words(0.0, "one two three four five"));
        assert_eq!(text(&agreement.agree_until(2.1)), " four");
        assert_eq!(text(&agreement.agree_until(2.1)), " five", "at least something");
    }
}
