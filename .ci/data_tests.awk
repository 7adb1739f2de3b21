# Names of the tests in which the data is asked for; of all in a file where something beside them asks.
FNR == 1 { finish(); file = FILENAME }
/^ *#\[test\]/ { marked = 1 }
match($0, /^ *(pub(\([a-z]+\))? )?fn [a-z0-9_]+/) {
    name = $0; sub(/\(.*/, "", name); sub(/<.*/, "", name); sub(/.*fn /, "", name)
    is_test = marked; marked = 0
    if (is_test) all[name] = 1
}
/(^|[^a-z_])shared\(\)|"AMANUENSIS_SHARED"/ { if (is_test) asks[name] = 1; else beside = 1 }
END { finish() }
function finish(   test) {
    if (beside) { for (test in all) print test } else { for (test in asks) print test }
    delete all; delete asks; beside = 0; is_test = 0; marked = 0
}
