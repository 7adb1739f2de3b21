// whisper.cpp, by its C interface, behind the lines that worker.py speaks (which says what they mean).
//   whisper_cpp_worker MODEL SOUND THREADS FLASH
// MODEL is a ggml file, SOUND raw float32 at 16 kHz, FLASH 0 or 1: whether attention is fused.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "whisper.h"

enum { WINDOW_SAMPLES = 480000, NEW_TOKENS = 100 };

static double encoder_began;

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec + moment.tv_nsec * 1e-9;
}

static void silent(enum ggml_log_level level, const char *text, void *data) {
    (void)level, (void)text, (void)data;
}

static bool encoder_begins(struct whisper_context *context, struct whisper_state *state, void *data) {
    (void)context, (void)state, (void)data;
    if (encoder_began == 0) encoder_began = now();
    return true;
}

// The end token and all that follow it never come.
static void bar_the_end(struct whisper_context *context, struct whisper_state *state, const whisper_token_data *tokens,
                        int count, float *logits, void *data) {
    (void)state, (void)tokens, (void)count, (void)data;
    for (int token = whisper_token_eot(context); token < whisper_n_vocab(context); token++) logits[token] = -INFINITY;
}

static float *read_sound(const char *path, size_t *samples) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    *samples = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    float *sound = malloc(*samples * sizeof(float));
    if (!sound || fread(sound, sizeof(float), *samples, file) != *samples) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    return sound;
}

static struct whisper_full_params settings(int threads, int beams) {
    struct whisper_full_params params =
        whisper_full_default_params(beams > 1 ? WHISPER_SAMPLING_BEAM_SEARCH : WHISPER_SAMPLING_GREEDY);
    params.n_threads = threads;
    params.language = "en";
    params.no_context = params.no_timestamps = true;
    params.suppress_blank = params.print_progress = false;
    params.temperature = params.temperature_inc = 0;  // no second attempts
    params.entropy_thold = params.logprob_thold = -1e9f;
    params.no_speech_thold = 2;
    params.max_tokens = NEW_TOKENS - 1;  // the last place a token may have, counted from 0
    params.greedy.best_of = 1;
    params.beam_search.beam_size = beams;
    params.logits_filter_callback = bar_the_end;
    params.encoder_begin_callback = encoder_begins;
    return params;
}

static int count_tokens(struct whisper_context *context) {
    int tokens = 0;
    for (int segment = 0; segment < whisper_full_n_segments(context); segment++)
        tokens += whisper_full_n_tokens(context, segment);
    return tokens;
}

static void answer(double begun, double ended, int tokens, double decode) {
    printf("{\"begun\": %.6f, \"ended\": %.6f", begun, ended);
    if (tokens > 0) printf(", \"tokens\": %d", tokens);
    if (decode > 0) printf(", \"decode_seconds\": %.6f", decode);
    printf("}\n");
}

static void encode(struct whisper_context *context, const float *sound, int threads) {
    whisper_pcm_to_mel(context, sound, WINDOW_SAMPLES, threads);
    double begun = now();
    if (whisper_encode(context, 0, threads)) { fprintf(stderr, "whisper_encode failed\n"); exit(1); }
    answer(begun, now(), 0, 0);
}

static void transcribe(struct whisper_context *context, const float *sound, int windows, int threads, int beams) {
    struct whisper_full_params params = settings(threads, beams);
    whisper_reset_timings(context);
    encoder_began = 0;
    double begun = now();
    if (whisper_full(context, params, sound, windows * WINDOW_SAMPLES)) {
        fprintf(stderr, "whisper_full failed\n");
        exit(1);
    }
    double ended = now();
    struct whisper_timings *timings = whisper_get_timings(context);  // twenty bytes of C++'s, left to it
    double encoder = timings ? windows * timings->encode_ms / 1e3 : 0;  // encode_ms is a mean over windows
    answer(begun, ended, count_tokens(context), ended - encoder_began - encoder);
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: whisper_cpp_worker MODEL SOUND THREADS FLASH\n");
        return 2;
    }
    size_t samples;
    const float *sound = read_sound(arguments[2], &samples);
    int threads = atoi(arguments[3]);
    whisper_log_set(silent, NULL);
    struct whisper_context_params params = whisper_context_default_params();
    params.use_gpu = false;
    params.flash_attn = atoi(arguments[4]);
    double begun = now();
    struct whisper_context *context = whisper_init_from_file_with_params(arguments[1], params);
    if (!context) {
        fprintf(stderr, "%s cannot be loaded\n", arguments[1]);
        return 1;
    }
    printf("{\"version\": \"%s\", \"load\": %.6f}\n", whisper_version(), now() - begun);
    fflush(stdout);
    char line[256], work[32];
    while (fgets(line, sizeof line, stdin)) {
        int first = 0, windows = 1;
        if (sscanf(line, "%31s %d %d", work, &first, &windows) < 1) continue;
        if (first < 0 || windows < 1 || (size_t)(first + windows) * WINDOW_SAMPLES > samples) {
            printf("{\"error\": \"the sound has no such windows\"}\n");
        } else {
            const float *heard = sound + (size_t)first * WINDOW_SAMPLES;
            if (!strcmp(work, "encoder")) encode(context, heard, threads);
            else if (!strcmp(work, "memory")) {
                struct rusage usage;
                getrusage(RUSAGE_SELF, &usage);
                printf("{\"memory\": %ld}\n", usage.ru_maxrss * 1024);
            } else transcribe(context, heard, windows, threads, !strcmp(work, "window_beam5") ? 5 : 1);
        }
        fflush(stdout);
    }
    whisper_free(context);
    return 0;
}
