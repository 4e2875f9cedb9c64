/** The service as clients speak to it. */
export { VaultService } from "./gen/strongroom/v1/vault_service_pb.js";
