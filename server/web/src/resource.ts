// What is being asked for, what the answer was, and what went wrong: the one way in which views get their data.

import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { type ApiError, ask, type Question, type Questions } from "./api";
import { changes } from "./live";

export interface Resource<T> {
  /** The last answer. It stays while the next one is awaited, so that nothing jumps. */
  data: ReadonlySignal<T | undefined>;
  error: ReadonlySignal<ApiError | undefined>;
  loading: ReadonlySignal<boolean>;
}

/** How long to wait before a question that found no server is asked again, in ms. */
const RETRY = 3000;

/**
 * Asks a question, again whenever what it depends on changes, and when there is something new on the server.
 * question returns undefined for nothing to ask.
 */
export function useAnswer<P extends keyof Questions>(question: () => Question<P> | undefined): Resource<Questions[P]["answer"]> {
  const resource = useMemo(() => makeResource(question), []);
  useEffect(() => resource.stop, [resource]);
  return resource;
}

function makeResource<P extends keyof Questions>(question: () => Question<P> | undefined): Resource<Questions[P]["answer"]> & { stop: () => void } {
  const data = signal<Questions[P]["answer"] | undefined>(undefined);
  const error = signal<ApiError | undefined>(undefined);
  const loading = signal(false);
  const again = signal(0);
  let asked = "";
  // As text, so that an address that changes nothing about the question does not ask it again.
  const text = computed(() => JSON.stringify(question()) ?? "");
  const stop = effect(() => {
    void changes.value;
    void again.value;
    const key = text.value;
    if (!key) return;
    const q = JSON.parse(key) as Question<P>;
    if (key !== asked) error.value = undefined;
    asked = key;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    loading.value = true;
    ask(q, abort.signal)
      .then((answer) => {
        data.value = answer;
        error.value = undefined;
      })
      .catch((cause: ApiError) => {
        if (abort.signal.aborted) return;
        error.value = cause;
        if (cause.status === 0) timer = setTimeout(() => again.value++, RETRY);
      })
      .finally(() => {
        if (!abort.signal.aborted) loading.value = false;
      });
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  });
  return { data, error, loading, stop };
}
