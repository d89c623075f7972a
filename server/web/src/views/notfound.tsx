import { hrefOf } from "../address";

export function NotFound() {
  return (
    <section class="message">
      <h1>There is nothing here.</h1>
      <p>
        <a href={hrefOf("blocks")}>Where the time goes</a> is a good place to start.
      </p>
    </section>
  );
}
