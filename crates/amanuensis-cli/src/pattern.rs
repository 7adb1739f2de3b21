//! Names chosen by a pattern.

/// Whether `pattern` is found in `name`. With `*` (any letters) or `?` (any one) in it, it must fit the whole name.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return name.contains(pattern);
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last star stood, and how much of the name it took: only the last one ever needs another try.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&letter) if letter == '?' || letter == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_part_of_a_name_or_fits_all_of_it() {
        for (pattern, name, expected) in [
            ("short", "short_00.wav", true),
            ("_00", "short_00.wav", true),
            ("", "short_00.wav", true),
            ("short_*", "short_00.wav", true),
            ("*.wav", "short_00.wav", true),
            ("short_?0*v", "short_00.wav", true),
            ("short_*.flac", "short_00.wav", false),
            ("?", "ab", false),
            ("*", "", true),
            ("a*a*b", "aaaaab", true),
            ("a*c*b", "aaaaab", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
