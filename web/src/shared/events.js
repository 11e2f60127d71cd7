/** Emitter: an EventTarget with typed event details. */

/**
 * The type parameter maps each event name to the type of the event's detail, or to `void`: `@extends {Emitter<{stalled:
 * string, resumed: void}>}`.
 *
 * @template {object} Events
 */
export class Emitter extends EventTarget {
  /**
   * Calls `handler` with the detail of each future event named `name`.
   *
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(detail: Events[Name]) => void} handler
   * @param {AddEventListenerOptions} [options]
   */
  listen(name, handler, options) {
    // The cast is safe, since `emit` dispatches only events of this type.
    const listener = (/** @type {Event} */ event) =>
      handler(/** @type {CustomEvent<Events[Name]>} */ (event).detail);
    this.addEventListener(name, listener, options);
  }

  /**
   * Dispatches a CustomEvent.
   *
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {Events[Name] extends void ? [] : [detail: Events[Name]]} detail
   */
  emit(name, ...detail) {
    this.dispatchEvent(new CustomEvent(name, { detail: detail[0] }));
  }
}
