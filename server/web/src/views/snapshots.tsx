import { useState } from "preact/hooks";

import { hrefOf, param } from "../address";
import { Answer } from "../answer";
import { ApiError, apiHref, deleteSnapshot, type SavedSnapshot, saveSnapshot } from "../api";
import { clock, count, middle } from "../format";
import { changes } from "../live";
import { useAnswer } from "../resource";

const NAME = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,127}";

export function SnapshotsView() {
  const answer = useAnswer(() => ({ path: "snapshots" }));
  const [failure, setFailure] = useState<ApiError | null>(null);
  /** Changes something, then looks again. */
  const act = async (work: Promise<unknown>) => {
    try {
      await work;
      setFailure(null);
      changes.value++;
    } catch (cause) {
      setFailure(cause instanceof ApiError ? cause : new ApiError(String(cause), "", 0));
    }
  };
  return (
    <>
      <h1>Snapshots</h1>
      <p class="summary">A snapshot keeps the statistics of a period for later, also when its spans are gone: before a deployment, for example.</p>
      <Save onSave={(name) => act(saveSnapshot({ name, since: param("since", "1h"), until: param("until"), service: param("service") }))} />
      {failure && (
        <p class="error" role="alert">
          <strong>{failure.message}</strong> {failure.hint}
        </p>
      )}
      <Answer of={answer}>
        {(data) =>
          data.snapshots.length === 0 ? (
            <section class="message">
              <h2>No snapshot is saved yet.</h2>
              <p>Choose a period and a service at the top, and give it a name here.</p>
            </section>
          ) : (
            <List of={data.snapshots} onDelete={(name) => act(deleteSnapshot(name))} />
          )
        }
      </Answer>
    </>
  );
}

function Save(props: { onSave: (name: string) => void }) {
  const [name, setName] = useState("");
  return (
    <form
      class="tools"
      onSubmit={(e) => {
        e.preventDefault();
        props.onSave(name);
        setName("");
      }}
    >
      <label>
        Name{" "}
        <input
          data-search
          type="text"
          required
          pattern={NAME}
          title="Letters, digits, dots, hyphens and underscores, beginning with a letter or digit"
          placeholder="before-v1.2"
          value={name}
          onInput={(e) => setName(e.currentTarget.value)}
        />
      </label>
      <button type="submit">Save the chosen period{param("service") ? " of " + middle(param("service"), 40) : ""}</button>
    </form>
  );
}

function List(props: { of: SavedSnapshot[]; onDelete: (name: string) => void }) {
  return (
    <div class="table" tabIndex={0} role="region" aria-label="Saved snapshots">
      <table>
        <thead>
          <tr>
            <th scope="col" class="text">Name</th>
            <th scope="col" class="figure">From</th>
            <th scope="col" class="figure">To</th>
            <th scope="col" class="figure">Calls</th>
            <th scope="col" class="figure">Saved</th>
            <th scope="col" class="text">Actions</th>
          </tr>
        </thead>
        <tbody>
          {props.of.map((s) => (
            <tr key={s.name}>
              <td class="text">{s.name}</td>
              <td class="figure">{s.start ? clock(s.start, true) : "–"}</td>
              <td class="figure">{s.end ? clock(s.end, true) : "–"}</td>
              <td class="figure">{count(s.spans)}</td>
              <td class="figure">{clock(s.saved, true)}</td>
              <td class="text">
                <span class="downloads">
                  <a href={hrefOf("compare", { before_snapshot: s.name, after_since: "15m" })}>compare with now</a>
                  {["html", "pprof", "snapshot"].map((format) => (
                    <a key={format} href={apiHref({ path: "snapshots/{name}", id: s.name, params: { format } })} download>
                      {format}
                    </a>
                  ))}
                  <Delete name={s.name} onDelete={props.onDelete} />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Deletes at the second click. */
function Delete(props: { name: string; onDelete: (name: string) => void }) {
  const [sure, setSure] = useState(false);
  return (
    <button type="button" class={sure ? "quiet bad" : "quiet"} onBlur={() => setSure(false)} onClick={() => (sure ? props.onDelete(props.name) : setSure(true))}>
      {sure ? "Really delete" : "Delete"}
    </button>
  );
}
