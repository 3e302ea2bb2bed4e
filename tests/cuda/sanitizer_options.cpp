// LeakSanitizer is off in this executable alone: cuDNN and cuBLAS keep blocks until the process ends, some allocated by
// libraries that they have unloaded by then, which no suppression can name. All other checks stay on.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
