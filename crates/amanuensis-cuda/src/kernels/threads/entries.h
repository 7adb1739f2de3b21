// The kernels by name. Arguments come as the driver takes them: an address for each.
template <typename T>
static T argument(void** arguments, int& next) { return *static_cast<T*>(arguments[next++]); }

template <typename... Arguments>
static bool call(void (*kernel)(Arguments...), const unsigned* grid, unsigned threads, int order, const unsigned* only,
                 unsigned some, void** arguments) {
    int next = 0;
    std::tuple<Arguments...> all{argument<Arguments>(arguments, next)...};
    return run(grid, threads, order, only, some, [=] { std::apply(kernel, all); });
}

// 0 when it ran, 1 where there is no such kernel, 2 where its threads wait for one another in vain.
extern "C" int launch(const char* name, const unsigned* grid, unsigned threads, int order, const unsigned* only, unsigned some,
                      void** arguments) {
#define ENTRY(kernel) if (!strcmp(name, #kernel)) return call(kernel, grid, threads, order, only, some, arguments) ? 0 : 2;
    ENTRY(unfold) ENTRY(activate) ENTRY(settle) ENTRY(layer_norm) ENTRY(firsts) ENTRY(window_attention)
    ENTRY(embed) ENTRY(remember) ENTRY(lane_attention) ENTRY(copy_lanes) ENTRY(choose)
    return 1;
}
