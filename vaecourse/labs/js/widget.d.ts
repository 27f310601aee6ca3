// What the widgets here need of the model that anywidget, or a page of the site, hands them.

export interface Model {
  get(name: "kind"): "slider" | "choice" | "switch" | "seed";
  get(name: "options"): string[];
  get(name: "stops"): number[];
  // deno-lint-ignore no-explicit-any
  get(name: string): any;
  // deno-lint-ignore no-explicit-any
  set(name: string, value: any): void;
  save_changes(): void;
  send(message: object): void;
  on(names: string, listener: () => void): void;
  off(names: string, listener: () => void): void;
}

export interface Context {
  model: Model;
  el: HTMLElement;
}

/** Draws one kind of control into `el`; what it returns shows the model's value. */
export type Part = (
  model: Model,
  el: HTMLElement,
  id: string,
  send: (value: number | string | boolean) => void,
) => () => void;
