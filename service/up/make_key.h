/*
 * make_key.h - makes an API key for whoever owns the data directory, the first one above all.
 *
 * Threads: main only.
 */
#ifndef SERVICE_UP_MAKE_KEY_H
#define SERVICE_UP_MAKE_KEY_H

/* `distilld key name=NAME roles=ROLE,... [settings]`: prints the secret, and nothing else, on
 * standard output. The service may run meanwhile, and may come later if data= names its directory.
 * Returns the exit status. */
int make_key_main(int argc, char *const *argv);

#endif
