//! What the windows of a recording are told of those before them.

use crate::tokens::Token;

/// Everything that was said so far, as the next window is told of it.
#[derive(Debug, Clone)]
pub struct Story {
    /// Words that are to be expected, told to every window.
    hotwords: Vec<Token>,
    /// Whether the initial prompt is told to every window, not only while it is the latest that was said.
    carried: bool,
    /// Whether a window is told what was said in earlier ones.
    conditioned: bool,
    /// The initial prompt, and behind it every token of every segment.
    said: Vec<Token>,
    /// How many of `said` are the initial prompt.
    prompt: usize,
    /// How many of `said` windows are not told of any more.
    forgotten: usize,
}

impl Story {
    /// Nothing was said yet, but `prompt` is to be taken for it. Windows are told what was said in earlier ones only if
    /// `conditioned`.
    pub fn new(prompt: &[Token], conditioned: bool) -> Self {
        let (said, prompt) = (prompt.to_vec(), prompt.len());
        Story { hotwords: Vec::new(), carried: false, conditioned, said, prompt, forgotten: 0 }
    }

    /// Every window is told the whole initial prompt, before what was said last.
    pub fn carrying_prompt(mut self, carried: bool) -> Self {
        self.carried = carried;
        self
    }

    /// Every window is told these words first.
    pub fn expecting(mut self, hotwords: &[Token]) -> Self {
        self.hotwords = hotwords.to_vec();
        self
    }

    /// What the next window is told was said before, in at most `room` tokens: words to be expected in half of them at
    /// most, then the initial prompt if it is carried, then as much as fits of what was said last.
    pub fn context(&self, room: usize) -> Vec<Token> {
        let mut context = self.hotwords[..self.hotwords.len().min(room / 2)].to_vec();
        let mut recent = &self.said[self.forgotten..];
        if self.carried {
            context.extend(last(&self.said[..self.prompt], room - context.len()));
            recent = &self.said[self.forgotten.max(self.prompt)..];
        }
        context.extend(last(recent, room - context.len()));
        context
    }

    /// Adds the tokens of a segment.
    pub fn tell(&mut self, tokens: &[Token]) {
        self.said.extend_from_slice(tokens);
    }

    /// A window is over. What was said up to here is forgotten if windows are not conditioned on it or it is `doubtful`.
    pub fn close_window(&mut self, doubtful: bool) {
        if !self.conditioned || doubtful {
            self.forgotten = self.said.len();
        }
    }

    /// How much of it windows are not told of any more.
    pub fn forgotten(&self) -> usize {
        self.forgotten
    }

    /// The same story of which windows are not told the first `forgotten` tokens. None where there are not so many.
    pub fn forgetting(mut self, forgotten: usize) -> Option<Self> {
        self.forgotten = forgotten;
        (forgotten <= self.said.len()).then_some(self)
    }

    /// Everything that was said, without the initial prompt.
    pub fn said(&self) -> &[Token] {
        &self.said[self.prompt..]
    }
}

fn last(tokens: &[Token], count: usize) -> &[Token] {
    &tokens[tokens.len().saturating_sub(count)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_told_what_was_said_unless_it_is_doubtful() {
        let mut story = Story::new(&[1, 2], true);
        assert_eq!(story.context(9), [1, 2]);
        story.tell(&[3, 4]);
        story.close_window(false);
        assert_eq!(story.context(9), [1, 2, 3, 4]);
        assert_eq!(story.context(3), [2, 3, 4], "the last that fit");
        story.tell(&[5]);
        story.close_window(true);
        assert!(story.context(9).is_empty());
        assert_eq!(story.said(), [3, 4, 5]);
    }

    #[test]
    fn without_conditioning_the_prompt_is_for_the_first_window() {
        let mut story = Story::new(&[1, 2], false);
        assert_eq!(story.context(9), [1, 2]);
        story.tell(&[3]);
        story.close_window(false);
        assert!(story.context(9).is_empty());
    }

    #[test]
    fn a_carried_prompt_stands_before_what_was_said_last_and_is_told_once() {
        let mut story = Story::new(&[1, 2], true).carrying_prompt(true);
        assert_eq!(story.context(9), [1, 2]);
        story.tell(&[3, 4, 5]);
        story.close_window(false);
        assert_eq!(story.context(4), [1, 2, 4, 5]);
        story.close_window(true);
        assert_eq!(story.context(4), [1, 2], "what is doubtful is forgotten, the prompt is not");
        let unconditioned = Story::new(&[1, 2], false).carrying_prompt(true);
        assert_eq!(unconditioned.context(1), [2]);
    }

    #[test]
    fn expected_words_come_first_and_leave_room() {
        let mut story = Story::new(&[1], true).expecting(&[7, 8, 9]);
        assert_eq!(story.context(8), [7, 8, 9, 1]);
        assert_eq!(story.context(4), [7, 8, 1]);
        story.tell(&[2, 3, 4]);
        story.close_window(true);
        assert_eq!(story.context(8), [7, 8, 9]);
    }
}
